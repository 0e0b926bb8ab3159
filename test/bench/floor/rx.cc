// The receive loop in C++ that `npm run bench -- --rx` compares ours with: loaded into the same process, so that both take
// bursts from the same queue of the same device, over the same mempool.
#include <node_api.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>
#include <time.h>

#include <cstdint>
#include <cstring>

namespace {

constexpr uint32_t BURST = 64;
constexpr uint32_t ROW_WORDS = 32;
constexpr uint32_t AHEAD = 4;
uint64_t checksum = 0;

double nowNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

uint32_t uintOf(napi_env env, napi_value value) {
  uint32_t result = 0;
  napi_get_value_uint32(env, value, &result);
  return result;
}

napi_value numberOf(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}

inline uint32_t touch(const rte_mbuf* mbuf) {
  uint32_t word;
  memcpy(&word, rte_pktmbuf_mtod(mbuf, const uint8_t*), sizeof word);
  return word;
}

// receive(port, bursts, rows): takes so many bursts, reads length and first word of each packet, and frees it; with an
// Int32Array also writes a row for each, as our reader does. Returns nanoseconds.
napi_value receive(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t count = 3;
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  uint16_t port = static_cast<uint16_t>(uintOf(env, args[0]));
  uint32_t bursts = uintOf(env, args[1]);
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  int32_t* rows = nullptr;
  if (napi_get_typedarray_info(env, args[2], &type, &length, &data, nullptr, nullptr) == napi_ok) {
    rows = static_cast<int32_t*>(data);
  }
  rte_mbuf* mbufs[BURST];
  uint64_t sum = 0;
  double start = nowNs();
  for (uint32_t b = 0; b < bursts; b++) {
    uint16_t n = rte_eth_rx_burst(port, 0, mbufs, BURST);
    for (uint32_t i = 0; i < AHEAD && i < n; i++) rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void*));
    if (rows == nullptr) {
      for (uint32_t i = 0; i < n; i++) {
        if (i + AHEAD < n) rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + AHEAD], void*));
        sum += mbufs[i]->pkt_len + touch(mbufs[i]);
      }
    } else {
      timespec now;
      clock_gettime(CLOCK_REALTIME, &now);
      for (uint32_t i = 0; i < n; i++) {
        if (i + AHEAD < n) rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + AHEAD], void*));
        const rte_mbuf* m = mbufs[i];
        int32_t* row = rows + i * ROW_WORDS;
        row[0] = static_cast<int32_t>(reinterpret_cast<uintptr_t>(rte_pktmbuf_mtod(m, uint8_t*)) & INT32_MAX);
        row[1] = m->data_len;
        row[2] = static_cast<int32_t>(m->pkt_len);
        row[3] = static_cast<int32_t>(now.tv_sec);
        row[4] = static_cast<int32_t>(now.tv_nsec);
        row[5] = port << 16 | 1;
        row[6] = m->ol_flags & RTE_MBUF_F_RX_RSS_HASH ? static_cast<int32_t>(m->hash.rss) : 0;
        row[7] = 0;
      }
      for (uint32_t i = 0; i < n; i++) sum += static_cast<uint32_t>(rows[i * ROW_WORDS + 2]) + touch(mbufs[i]);
    }
    if (n != 0) rte_pktmbuf_free_bulk(mbufs, n);
  }
  double spent = nowNs() - start;
  checksum += sum;
  return numberOf(env, spent);
}

// refill(port, mempool, packets): sends packets of 64 bytes into a device whose queue is its own other end (net_ring);
// returns how many it took.
napi_value refill(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t count = 3;
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  uint16_t port = static_cast<uint16_t>(uintOf(env, args[0]));
  char name[64] = "";
  size_t length = 0;
  napi_get_value_string_utf8(env, args[1], name, sizeof name, &length);
  rte_mempool* pool = rte_mempool_lookup(name);
  uint32_t left = uintOf(env, args[2]);
  uint32_t sent = 0;
  rte_mbuf* mbufs[BURST];
  while (pool != nullptr && left >= BURST && rte_pktmbuf_alloc_bulk(pool, mbufs, BURST) == 0) {
    for (rte_mbuf* m : mbufs) memset(rte_pktmbuf_append(m, 64), 1, 64);
    uint16_t n = rte_eth_tx_burst(port, 0, mbufs, BURST);
    if (n < BURST) rte_pktmbuf_free_bulk(mbufs + n, BURST - n);
    sent += n;
    left -= BURST;
    if (n < BURST) break;
  }
  return numberOf(env, sent);
}

napi_value now(napi_env env, napi_callback_info) { return numberOf(env, nowNs()); }

napi_value init(napi_env env, napi_value exports) {
  struct {
    const char* name;
    napi_callback call;
  } functions[] = {{"receive", receive}, {"refill", refill}, {"now", now}};
  for (auto& [name, call] : functions) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
  return exports;
}

}  // namespace

NAPI_MODULE(rx, init)
