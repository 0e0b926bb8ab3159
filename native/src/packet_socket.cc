// Linux packet sockets of this process: which descriptors they are, and what the kernel dropped at them (packet(7)).
#include <dirent.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstdlib>

#include "dpdk.h"

namespace iris {

std::set<int> packetSockets() {
  std::set<int> result;
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return result;
  while (dirent* entry = readdir(directory)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    int fd = atoi(entry->d_name);
    int domain = 0;
    socklen_t length = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_PACKET) result.insert(fd);
  }
  closedir(directory);
  return result;
}

// Drops since the last call: the kernel sets its count back at each reading.
uint64_t packetSocketDrops(int fd) {
  tpacket_stats stats = {};
  socklen_t length = sizeof stats;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) return 0;
  return stats.tp_drops;
}

}  // namespace iris
