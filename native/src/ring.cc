// Rings between workers: one takes packets from a device without RSS and hands each to the worker whose it is.
#include <rte_errno.h>
#include <rte_ring.h>

#include <mutex>
#include <vector>

#include "dpdk.h"
#include "napi.h"

namespace iris {

static std::mutex ringMutex;
static std::vector<rte_ring*> rings;
static uint32_t ringsMade = 0;

rte_ring* ringAt(uint32_t id) {
  std::lock_guard<std::mutex> lock(ringMutex);
  return id < rings.size() ? rings[id] : nullptr;
}

// ringCreate(size): a ring for at least `size` packets, from one worker to one other; its number.
static napi_value ringCreate(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  if (!ealRunning()) return fail(env, "DPDK is not running");
  std::lock_guard<std::mutex> lock(ringMutex);
  char name[RTE_RING_NAMESIZE];
  snprintf(name, sizeof name, "iris_ring_%u", ringsMade++);
  uint32_t size = toUint(env, args[0]);
  rte_ring* ring = rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
  if (ring == nullptr) return fail(env, "no ring of %u packets: %s", size, rte_strerror(rte_errno));
  rings.push_back(ring);
  return number(env, static_cast<double>(rings.size() - 1));
}

// ringCount(id): packets in the ring.
static napi_value ringCount(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  rte_ring* ring = ringAt(toUint(env, args[0], UINT32_MAX));
  if (ring == nullptr) return fail(env, "no such ring");
  return number(env, rte_ring_count(ring));
}

// ringFree(id): gives back what is left in it. Readers over it are closed before.
static napi_value ringFree(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint32_t id = toUint(env, args[0], UINT32_MAX);
  rte_ring* ring = ringAt(id);
  if (ring == nullptr) return nullptr;
  void* object = nullptr;
  while (rte_ring_sc_dequeue(ring, &object) == 0) {
    rte_pktmbuf_free(reinterpret_cast<rte_mbuf*>(reinterpret_cast<uintptr_t>(object) & ~static_cast<uintptr_t>(1)));
  }
  rte_ring_free(ring);
  std::lock_guard<std::mutex> lock(ringMutex);
  rings[id] = nullptr;
  return nullptr;
}

void defineRing(napi_env env, napi_value exports) {
  define(env, exports, "ringCreate", ringCreate);
  define(env, exports, "ringCount", ringCount);
  define(env, exports, "ringFree", ringFree);
}

}  // namespace iris
