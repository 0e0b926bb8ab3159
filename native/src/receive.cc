// The receive path of one worker: a burst from its queues into the packet rows that JavaScript reads.
//
// Hot: once per burst, about 10 ns per packet on net_ring (PERFORMANCE.md section 2). The rows are those of
// runtime/packet/layout.ts; words 0..7 of each are written here.
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_prefetch.h>
#include <time.h>

#include <cstring>

#include "dpdk.h"

namespace iris {

constexpr uint32_t PREFETCH_AHEAD = 4;
enum Word { OFFSET = 0, CAPLEN = 1, WIRELEN = 2, SEC = 3, NSEC = 4, LINK = 5, RSS = 6, HOLD = 7 };
// Word HOLD of a row whose bytes are no mbuf of the pool and therefore cannot be held.
constexpr int32_t NOT_HOLDABLE = -1;
// Word HOLD of a row for another worker: this less the worker's number; or for all workers.
constexpr int32_t FOR_WORKER = -2;
constexpr int32_t FOR_ALL = INT32_MIN;
// In a ring, mbufs are aligned; this bit marks one that its sender counted already and has sent to all.
constexpr uintptr_t COPY = 1;

static inline uint8_t* dataOf(const rte_mbuf* mbuf) { return rte_pktmbuf_mtod(mbuf, uint8_t*); }

// Hands the mbuf of row `i` to the workers that its row names. True if the reader has no more to do with it.
static bool handOff(Reader& r, uint32_t i) {
  int32_t to = r.rows[i * ROW_WORDS + HOLD];
  rte_mbuf* mbuf = r.burst[i];
  const std::vector<rte_ring*>& targets = r.queues[r.burstQueue[i]].targets;
  if (to > FOR_WORKER || targets.empty()) return false;
  if (to == FOR_ALL) {
    for (rte_ring* target : targets) {
      if (target == nullptr) continue;
      rte_pktmbuf_refcnt_update(mbuf, 1);
      if (rte_ring_sp_enqueue(target, reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(mbuf) | COPY)) == 0) continue;
      rte_pktmbuf_refcnt_update(mbuf, -1);
      r.ringFull++;
    }
    return false;
  }
  size_t worker = static_cast<size_t>(FOR_WORKER - to);
  if (worker >= targets.size() || targets[worker] == nullptr) return false;
  if (rte_ring_sp_enqueue(targets[worker], mbuf) != 0) {
    r.ringFull++;
    return false;
  }
  r.packets--;
  r.bytes -= static_cast<uint32_t>(r.rows[i * ROW_WORDS + WIRELEN]);
  return true;
}

// Gives back a whole burst. What is the rule, mbufs of our pool that nobody else refers to, goes there at once: they keep
// their buffers for good, so that there is no more to do than rte_pktmbuf_free would find out for each.
static void freeBurst(const Reader& r) {
  rte_mempool* pool = r.memory->pool;
  for (uint32_t i = 0; i < r.burstLength; i++) {
    rte_mbuf* mbuf = r.burst[i];
    if (mbuf->pool != pool || mbuf->nb_segs != 1 || rte_mbuf_refcnt_read(mbuf) != 1) {
      rte_pktmbuf_free_bulk(const_cast<rte_mbuf**>(r.burst), r.burstLength);
      return;
    }
  }
  for (uint32_t i = 0; i < r.burstLength; i++) r.burst[i]->ol_flags &= RTE_MBUF_F_EXTERNAL;
  rte_mempool_put_bulk(pool, reinterpret_cast<void* const*>(r.burst), r.burstLength);
}

// Gives back the previous burst, but keeps the mbufs whose row JavaScript has marked.
static void releaseBurst(Reader& r) {
  int32_t marks = 0;
  for (uint32_t i = 0; i < r.burstLength; i++) marks |= r.rows[i * ROW_WORDS + HOLD];
  // Mostly nothing is held and nothing handed on. (A bounced row is marked, too, and goes the other way.)
  if (marks == 0) {
    if (r.burstLength != 0) freeBurst(r);
    r.burstLength = 0;
    return;
  }
  rte_mbuf* free[BURST_MAX];
  uint32_t n = 0;
  for (uint32_t i = 0; i < r.burstLength; i++) {
    if (r.rows[i * ROW_WORDS + HOLD] > 0) {
      uint32_t element = static_cast<uint32_t>(r.rows[i * ROW_WORDS + OFFSET]) / r.memory->elementSize;
      if (element < r.held.size() && r.held[element] == nullptr) {
        r.held[element] = r.burst[i];
        r.heldCount++;
        continue;
      }
    }
    if (handOff(r, i)) continue;
    free[n++] = r.burst[i];
  }
  if (n != 0) rte_pktmbuf_free_bulk(free, n);
  r.burstLength = 0;
}

// Puts a VLAN tag that the device took out of the frame back in (into the headroom).
static void restoreVlan(rte_mbuf* mbuf) {
  uint8_t* data = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(mbuf, 4));
  if (data == nullptr || rte_pktmbuf_data_len(mbuf) < 18) return;
  memmove(data, data + 4, 12);
  data[12] = 0x81;
  data[13] = 0x00;
  data[14] = static_cast<uint8_t>(mbuf->vlan_tci >> 8);
  data[15] = static_cast<uint8_t>(mbuf->vlan_tci);
}

// Copies a frame that is not one piece of the pool into the row's bounce slot; false when it is too long.
static bool bounce(Reader& r, const rte_mbuf* mbuf, uint32_t row, int32_t* words) {
  uint32_t length = mbuf->pkt_len;
  if (length > BOUNCE_SLOT) return false;
  size_t offset = r.memory->bounceOffset + static_cast<size_t>(r.lane * BURST_MAX + row) * BOUNCE_SLOT;
  uint8_t* to = r.memory->base + offset;
  uint32_t copied = 0;
  for (const rte_mbuf* m = mbuf; m != nullptr && copied + m->data_len <= length; m = m->next) {
    memcpy(to + copied, dataOf(m), m->data_len);
    copied += m->data_len;
  }
  words[OFFSET] = static_cast<int32_t>(offset);
  words[CAPLEN] = static_cast<int32_t>(copied);
  words[HOLD] = NOT_HOLDABLE;
  return true;
}

// Writes the rows of `count` mbufs of one queue, which lie in `r.burst` from place `row` on; returns the row after the last
// one written. Frames that are too long leave their place to the next.
static uint32_t fillRows(Reader& r, const RxQueue& queue, uint32_t count, uint32_t row, const timespec& now) {
  rte_mbuf** mbufs = r.burst + row;
  const uint8_t* base = r.memory->base;
  const size_t poolBytes = r.memory->poolBytes;
  const uint64_t timeFlag = queue.packetTime ? r.timeFlag : 0;
  const int32_t sec = static_cast<int32_t>(static_cast<uint32_t>(now.tv_sec));
  const int32_t nsec = static_cast<int32_t>(now.tv_nsec);
  const int32_t link = queue.link;
  int32_t* const rows = r.rows;
  uint64_t bytes = 0;
  memset(r.burstQueue + row, static_cast<int>(&queue - r.queues.data()), count);
  for (uint32_t i = 0; i < PREFETCH_AHEAD && i < count; i++) rte_prefetch0(dataOf(mbufs[i]));
  for (uint32_t i = 0; i < count; i++) {
    if (i + PREFETCH_AHEAD < count) rte_prefetch0(dataOf(mbufs[i + PREFETCH_AHEAD]));
    rte_mbuf* mbuf = mbufs[i];
    if (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
      restoreVlan(mbuf);
      mbuf->ol_flags &= ~RTE_MBUF_F_RX_VLAN_STRIPPED;
    }
    int32_t* words = rows + row * ROW_WORDS;
    size_t offset = static_cast<size_t>(dataOf(mbuf) - base);
    if (mbuf->nb_segs == 1 && offset < poolBytes) {
      words[OFFSET] = static_cast<int32_t>(offset);
      words[CAPLEN] = mbuf->data_len;
      words[HOLD] = 0;
    } else if (!bounce(r, mbuf, row, words)) {
      r.oversize++;
      rte_pktmbuf_free(mbuf);
      continue;
    }
    words[WIRELEN] = static_cast<int32_t>(mbuf->pkt_len);
    words[LINK] = link;
    words[RSS] = mbuf->ol_flags & RTE_MBUF_F_RX_RSS_HASH ? static_cast<int32_t>(mbuf->hash.rss) : 0;
    if ((mbuf->ol_flags & timeFlag) != 0) {
      uint64_t micros = *RTE_MBUF_DYNFIELD(mbuf, r.timeOffset, rte_mbuf_timestamp_t*);
      words[SEC] = static_cast<int32_t>(static_cast<uint32_t>(micros / 1000000));
      words[NSEC] = static_cast<int32_t>(micros % 1000000 * 1000);
    } else {
      words[SEC] = sec;
      words[NSEC] = nsec;
    }
    bytes += mbuf->pkt_len;
    r.burst[row++] = mbuf;
  }
  r.bytes += bytes;
  return row;
}

// A burst from the device, unless a worker that would get packets of it lags behind: then they wait in the device, which
// counts what it loses.
static uint32_t receive(const RxQueue& queue, rte_mbuf** mbufs, uint32_t max) {
  for (rte_ring* target : queue.targets) {
    if (target != nullptr && rte_ring_free_count(target) < BURST_MAX) return 0;
  }
  return rte_eth_rx_burst(queue.port, queue.queue, mbufs, static_cast<uint16_t>(max));
}

// A burst of what another worker took from the queue.
static uint32_t takeOver(Reader& r, const RxQueue& queue, rte_mbuf** mbufs, uint32_t max) {
  void* objects[BURST_MAX];
  uint32_t n = rte_ring_sc_dequeue_burst(queue.source, objects, max, nullptr);
  for (uint32_t i = 0; i < n; i++) {
    uintptr_t object = reinterpret_cast<uintptr_t>(objects[i]);
    mbufs[i] = reinterpret_cast<rte_mbuf*>(object & ~COPY);
    if ((object & COPY) == 0) continue;
    r.packets--;
    r.bytes -= mbufs[i]->pkt_len;
  }
  return n;
}

uint32_t readerPoll(Reader& r, uint32_t max) {
  releaseBurst(r);
  timespec now;
  bool clockRead = false;
  uint32_t row = 0;
  uint32_t queues = static_cast<uint32_t>(r.queues.size());
  for (uint32_t i = 0; i < queues && row < max; i++) {
    const RxQueue& queue = r.queues[(r.next + i) % queues];
    rte_mbuf** mbufs = r.burst + row;
    uint32_t n = queue.source == nullptr ? receive(queue, mbufs, max - row) : takeOver(r, queue, mbufs, max - row);
    if (n == 0) continue;
    if (!clockRead) {
      clock_gettime(CLOCK_REALTIME, &now);
      clockRead = true;
    }
    row = fillRows(r, queue, n, row, now);
  }
  r.next = r.next + 1 < queues ? r.next + 1 : 0;
  r.burstLength = row;
  r.packets += row;
  return row;
}

bool readerOthersLag(const Reader& r) {
  for (const RxQueue& queue : r.queues) {
    for (rte_ring* target : queue.targets) {
      if (target != nullptr && rte_ring_empty(target) == 0) return true;
    }
  }
  return false;
}

void readerRelease(Reader& reader) {
  releaseBurst(reader);
  for (rte_mbuf*& mbuf : reader.held) {
    if (mbuf != nullptr) rte_pktmbuf_free(mbuf);
    mbuf = nullptr;
  }
  reader.heldCount = 0;
  if (reader.memory != nullptr) reader.memory->users--;
  reader.memory = nullptr;
}

}  // namespace iris
