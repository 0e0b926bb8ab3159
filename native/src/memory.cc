// Packet memory: one contiguous mapping per worker that holds the data of all its mbufs and, behind them, room for the
// tracker, so that JavaScript sees every byte it reads in one ArrayBuffer.
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_memzone.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "dpdk.h"
#include "napi.h"

namespace iris {

static std::mutex memoryMutex;
static std::vector<std::unique_ptr<Memory>> memories;
static uint32_t created = 0;

Memory* memoryAt(uint32_t id) {
  std::lock_guard<std::mutex> lock(memoryMutex);
  return id < memories.size() ? memories[id].get() : nullptr;
}

void memoryRelease(uint32_t id) {
  Memory* memory = memoryAt(id);
  if (memory != nullptr) memory->users--;
}

int memoriesInUse() {
  std::lock_guard<std::mutex> lock(memoryMutex);
  int n = 0;
  for (auto& memory : memories) n += memory ? 1 : 0;
  return n;
}

static constexpr size_t HUGE_PAGE = 2u << 20;

static size_t roundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

static void unmap(Memory& memory) {
  if (memory.zone != nullptr) rte_memzone_free(static_cast<const rte_memzone*>(memory.zone));
  if (memory.mapping != nullptr) munmap(memory.mapping, memory.mappingLength);
}

// Finds `memory.length` contiguous bytes: from DPDK's hugepages where there are any, else mapped with transparent huge
// pages.
static bool map(Memory& memory, int socket, const char* name) {
  if (rte_eal_has_hugepages()) {
    const rte_memzone* zone = rte_memzone_reserve_aligned(name, memory.length, socket, 0, HUGE_PAGE);
    if (zone == nullptr) return false;
    memory.zone = zone;
    memory.base = static_cast<uint8_t*>(zone->addr);
    return true;
  }
  memory.mappingLength = memory.length + HUGE_PAGE;
  void* mapping =
      mmap(nullptr, memory.mappingLength, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    rte_errno = errno;
    return false;
  }
  memory.mapping = mapping;
  memory.base = reinterpret_cast<uint8_t*>(roundUp(reinterpret_cast<uintptr_t>(mapping), HUGE_PAGE));
  // A wish only: where that node is full, or the kernel knows no nodes, any other does.
  if (socket >= 0 && socket < 64) {
    unsigned long nodes = 1ul << socket;
    syscall(SYS_mbind, memory.base, memory.length, MPOL_PREFERRED, &nodes, sizeof nodes * 8 + 1, 0);
  }
  madvise(memory.base, memory.length, MADV_HUGEPAGE);
#ifdef MADV_POPULATE_WRITE
  madvise(memory.base, memory.poolBytes, MADV_POPULATE_WRITE);
#endif
  return true;
}

// The pool's part, page by page. Without an IOMMU devices need physical addresses, which are contiguous within a page only.
static std::vector<rte_pktmbuf_extmem> pagesOf(const Memory& memory) {
  bool physical = rte_eal_has_hugepages() && rte_eal_iova_mode() == RTE_IOVA_PA;
  std::vector<rte_pktmbuf_extmem> pages(memory.poolBytes / HUGE_PAGE);
  for (size_t i = 0; i < pages.size(); i++) {
    uint8_t* start = memory.base + i * HUGE_PAGE;
    pages[i].buf_ptr = start;
    pages[i].buf_iova = physical ? rte_mem_virt2iova(start) : reinterpret_cast<rte_iova_t>(start);
    pages[i].buf_len = HUGE_PAGE;
    pages[i].elt_size = static_cast<uint16_t>(memory.elementSize);
  }
  return pages;
}

// memoryCreate({ capacity, cacheSize, dataRoom, slabLength, socket, lanes }): returns the memory's number.
static napi_value memoryCreate(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  if (!ealRunning()) return fail(env, "DPDK is not running");
  auto memory = std::make_unique<Memory>();
  memory->capacity = toUint(env, property(env, args[0], "capacity"));
  uint32_t cacheSize = toUint(env, property(env, args[0], "cacheSize"));
  uint32_t dataRoom = RTE_PKTMBUF_HEADROOM + toUint(env, property(env, args[0], "dataRoom"));
  memory->slabLength = roundUp(static_cast<size_t>(toDouble(env, property(env, args[0], "slabLength"))), 64);
  int socket = static_cast<int>(toDouble(env, property(env, args[0], "socket"), SOCKET_ID_ANY));
  if (memory->capacity == 0) return fail(env, "a packet memory needs at least one packet");
  if (dataRoom > UINT16_MAX) return fail(env, "packet buffers can hold %u bytes at most", UINT16_MAX - RTE_PKTMBUF_HEADROOM);
  memory->elementSize = static_cast<uint32_t>(roundUp(dataRoom, RTE_CACHE_LINE_SIZE));
  // No packet crosses a page.
  size_t perPage = HUGE_PAGE / memory->elementSize;
  memory->poolBytes = (memory->capacity + perPage - 1) / perPage * HUGE_PAGE;
  memory->lanes = toUint(env, property(env, args[0], "lanes"), 1);
  memory->bounceOffset = memory->poolBytes;
  memory->slabOffset = memory->bounceOffset + static_cast<size_t>(memory->lanes) * BURST_MAX * BOUNCE_SLOT;
  memory->length = roundUp(memory->slabOffset + memory->slabLength, HUGE_PAGE);
  if (memory->length > INT32_MAX) {
    return fail(env, "%u packets of %u bytes need more than the 2 GiB that one core can have", memory->capacity, dataRoom);
  }
  char name[RTE_MEMZONE_NAMESIZE];
  snprintf(name, sizeof name, "iris_data_%u", created);
  if (!map(*memory, socket, name)) {
    return fail(env, "no memory for %zu MB of packets: %s", memory->length >> 20, rte_strerror(rte_errno));
  }
  std::vector<rte_pktmbuf_extmem> pages = pagesOf(*memory);
  snprintf(name, sizeof name, "iris_%u", created++);
  memory->pool = rte_pktmbuf_pool_create_extbuf(name, memory->capacity, cacheSize, 0, static_cast<uint16_t>(dataRoom),
                                                socket, pages.data(), static_cast<unsigned>(pages.size()));
  if (memory->pool == nullptr) {
    int error = rte_errno;
    unmap(*memory);
    return fail(env, "no mempool of %u packets: %s", memory->capacity, rte_strerror(error));
  }
  std::lock_guard<std::mutex> lock(memoryMutex);
  memories.push_back(std::move(memory));
  return number(env, static_cast<double>(memories.size() - 1));
}

// memoryAttach(id): the ArrayBuffer of the memory in this environment. Never post it elsewhere.
static napi_value memoryAttach(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint32_t id = toUint(env, args[0], UINT32_MAX);
  Memory* memory = memoryAt(id);
  if (memory == nullptr) return fail(env, "no packet memory %u", id);
  EnvDpdk* state = stateOf(env)->dpdk;
  if (state->attached.count(id) != 0) return fail(env, "packet memory %u is attached already", id);
  napi_value buffer;
  if (napi_create_external_arraybuffer(env, memory->base, memory->length, nullptr, nullptr, &buffer) != napi_ok) {
    return fail(env, "this Node does not allow external memory");
  }
  state->attached.insert(id);
  memory->users++;
  return buffer;
}

// memoryDetach(id, buffer): the environment lives on, but its ArrayBuffer must not see freed memory.
static napi_value memoryDetach(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  uint32_t id = toUint(env, args[0], UINT32_MAX);
  EnvDpdk* state = stateOf(env)->dpdk;
  if (state->attached.count(id) == 0) return nullptr;
  void* data = nullptr;
  size_t length = 0;
  Memory* memory = memoryAt(id);
  if (napi_get_arraybuffer_info(env, args[1], &data, &length) != napi_ok || data != memory->base) {
    return fail(env, "that is not the ArrayBuffer of packet memory %u", id);
  }
  napi_detach_arraybuffer(env, args[1]);
  state->attached.erase(id);
  memory->users--;
  return nullptr;
}

static napi_value memoryInfo(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Memory* memory = memoryAt(toUint(env, args[0], UINT32_MAX));
  if (memory == nullptr) return fail(env, "no such packet memory");
  napi_value result = object(env);
  set(env, result, "length", number(env, static_cast<double>(memory->length)));
  set(env, result, "slabOffset", number(env, static_cast<double>(memory->slabOffset)));
  set(env, result, "slabLength", number(env, static_cast<double>(memory->slabLength)));
  set(env, result, "capacity", number(env, memory->capacity));
  set(env, result, "inUse", number(env, rte_mempool_in_use_count(memory->pool)));
  return result;
}

// memoryFree(id): refused while an environment is attached, or while packets of it are in use.
static napi_value memoryFree(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint32_t id = toUint(env, args[0], UINT32_MAX);
  Memory* memory = memoryAt(id);
  if (memory == nullptr) return nullptr;
  if (memory->users != 0) return fail(env, "packet memory %u is still attached", id);
  unsigned inUse = rte_mempool_in_use_count(memory->pool);
  if (inUse != 0) return fail(env, "%u packets of packet memory %u are still in use", inUse, id);
  std::lock_guard<std::mutex> lock(memoryMutex);
  rte_mempool_free(memory->pool);
  unmap(*memory);
  memories[id].reset();
  return nullptr;
}

void defineMemory(napi_env env, napi_value exports) {
  define(env, exports, "memoryCreate", memoryCreate);
  define(env, exports, "memoryAttach", memoryAttach);
  define(env, exports, "memoryDetach", memoryDetach);
  define(env, exports, "memoryInfo", memoryInfo);
  define(env, exports, "memoryFree", memoryFree);
}

}  // namespace iris
