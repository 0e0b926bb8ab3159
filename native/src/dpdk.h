// Types shared by the files that use DPDK.
#pragma once

#include <node_api.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "state.h"

namespace iris {

// Most packets of one burst: Burst.MAX of runtime/packet/layout.ts.
constexpr uint32_t BURST_MAX = 64;
// A frame of several segments is copied here, one slot per row of the burst; longer frames are dropped and counted.
constexpr uint32_t BOUNCE_SLOT = 65536;

// The packet memory of one worker, or of workers that hand packets to each other, one mapping: [mbuf data][bounce slots of
// each worker][slabs of their trackers]. The mbufs themselves live in
// DPDK's heap and point into the first part for good (a pool with pinned external buffers).
struct Memory {
  uint8_t* base = nullptr;
  size_t length = 0;
  size_t poolBytes = 0;
  size_t bounceOffset = 0;
  size_t slabOffset = 0;
  size_t slabLength = 0;
  uint32_t capacity = 0;
  uint32_t elementSize = 0;
  // Workers that may read packets of this memory.
  uint32_t lanes = 1;
  rte_mempool* pool = nullptr;
  // Mapped by us (munmap) or reserved from DPDK's hugepages (memzone).
  void* mapping = nullptr;
  size_t mappingLength = 0;
  const void* zone = nullptr;
  // Environments that hold its ArrayBuffer, and readers over it.
  std::atomic<int> users{0};
};

// A memory by its number, nullptr when there is none.
Memory* memoryAt(uint32_t id);
void memoryRelease(uint32_t id);
int memoriesInUse();
bool ealRunning();
// The symmetric RSS of our ports on such a device.
rte_eth_rss_conf rssConfiguration(const rte_eth_dev_info& dev);

struct RxQueue {
  uint16_t port;
  uint16_t queue;
  // Word LINK of its rows: link type | port << 16.
  int32_t link;
  // Times come with the packets (net_pcap), else one clock reading per burst.
  bool packetTime;
  // Where packets come from that another worker took from the queue; nullptr for the queue itself.
  rte_ring* source = nullptr;
  // Where packets of other workers go, by the number of the worker.
  std::vector<rte_ring*> targets;
};

// A ring between two workers, by its number; nullptr when there is none.
rte_ring* ringAt(uint32_t id);

// Words of a packet row.
constexpr uint32_t ROW_WORDS = 32;

struct Reader {
  uint32_t memoryId = 0;
  // Which bounce slots of the memory are its own.
  uint32_t lane = 0;
  Memory* memory = nullptr;
  std::vector<RxQueue> queues;
  uint32_t next = 0;
  int32_t* rows = nullptr;
  uint32_t rowCount = 0;
  napi_ref rowsRef = nullptr;
  // Mbufs of the latest burst; released at the start of the next one unless their row is marked.
  rte_mbuf* burst[BURST_MAX];
  uint32_t burstLength = 0;
  // The queue of each, by its place in `queues`.
  uint8_t burstQueue[BURST_MAX];
  // Held mbufs by element of the memory.
  std::vector<rte_mbuf*> held;
  uint32_t heldCount = 0;
  int timeOffset = -1;
  uint64_t timeFlag = 0;
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t oversize = 0;
  // Packets for another worker that its ring had no room for.
  uint64_t ringFull = 0;
};

// Fills at most `max` rows with the next burst, and returns how many. What was not held of the one before is given back.
uint32_t readerPoll(Reader& reader, uint32_t max);
// Whether workers still have to take what this reader handed on: then an empty poll says nothing about the device, which
// was perhaps not even asked, or found no buffer.
bool readerOthersLag(const Reader& reader);
// Gives all mbufs back and lets go of the memory.
void readerRelease(Reader& reader);

struct EnvDpdk {
  bool registered = false;
  std::vector<std::unique_ptr<Reader>> readers;
  // Memories whose ArrayBuffer this environment made.
  std::set<uint32_t> attached;
};

// Packets that the kernel dropped at a packet socket because its ring was full. Linux counts them per socket, and DPDK's
// af_packet driver does not read the count.
std::set<int> packetSockets();
uint64_t packetSocketDrops(int fd);

}  // namespace iris
