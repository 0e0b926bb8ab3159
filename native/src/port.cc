// Devices and ports: hot plug of virtual devices, configuration, start and stop, what a device offers, statistics, and
// frames sent one by one.
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "dpdk.h"
#include "napi.h"

namespace iris {

// Packet sockets that a device opened (af_packet), by port.
static std::map<uint16_t, std::set<int>> socketsOfPort;
static std::map<uint16_t, uint64_t> dropsOfPort;

// Microsoft's symmetric key: with it both directions of a flow hash alike.
static uint8_t symmetricKey[52] = {
    0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
    0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
    0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a};

static constexpr uint64_t RSS_TYPES = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

rte_eth_rss_conf rssConfiguration(const rte_eth_dev_info& dev) {
  rte_eth_rss_conf conf = {};
  conf.rss_key = symmetricKey;
  conf.rss_key_len = dev.hash_key_size != 0 && dev.hash_key_size <= sizeof symmetricKey ? dev.hash_key_size : 40;
  conf.rss_hf = RSS_TYPES & dev.flow_type_rss_offloads;
  return conf;
}

static napi_value failPort(napi_env env, const char* what, int error) {
  return fail(env, "%s: %s", what, rte_strerror(-error));
}

// deviceProbe(devargs): plugs a device in and returns its port number, -1 when it came without a port.
static napi_value deviceProbe(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  if (!ealRunning()) return fail(env, "DPDK is not running");
  std::string devargs = toString(env, args[0]);
  std::set<int> before = packetSockets();
  int result = rte_dev_probe(devargs.c_str());
  if (result < 0) return fail(env, "%s", rte_strerror(-result));
  uint16_t port;
  std::string name = devargs.substr(0, devargs.find(','));
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port) != 0) return number(env, -1);
  std::set<int> opened;
  for (int fd : packetSockets()) {
    if (before.count(fd) == 0) opened.insert(fd);
  }
  socketsOfPort[port] = opened;
  dropsOfPort[port] = 0;
  return number(env, port);
}

// deviceRemove(port): closes the port and unplugs its device.
static napi_value deviceRemove(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  rte_eth_dev_info dev;
  int result = rte_eth_dev_info_get(port, &dev);
  if (result != 0) return failPort(env, "no such port", result);
  socketsOfPort.erase(port);
  result = rte_eth_dev_close(port);
  if (result != 0) return failPort(env, "the port cannot be closed", result);
  result = rte_dev_remove(dev.device);
  if (result < 0) return failPort(env, "the device cannot be removed", result);
  return nullptr;
}

static napi_value portByName(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint16_t port;
  int result = rte_eth_dev_get_port_by_name(toString(env, args[0]).c_str(), &port);
  return number(env, result == 0 ? port : -1);
}

// portInfo(port): what the device says that it can do.
static napi_value portInfo(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  rte_eth_dev_info dev = {};
  int error = rte_eth_dev_info_get(port, &dev);
  if (error != 0) return failPort(env, "no such port", error);
  napi_value result = object(env);
  rte_ether_addr mac = {};
  char text[RTE_ETHER_ADDR_FMT_SIZE] = "";
  if (rte_eth_macaddr_get(port, &mac) == 0) rte_ether_format_addr(text, sizeof text, &mac);
  char name[RTE_ETH_NAME_MAX_LEN] = "";
  rte_eth_dev_get_name_by_port(port, name);
  set(env, result, "name", string(env, name));
  set(env, result, "driver", string(env, dev.driver_name == nullptr ? "" : dev.driver_name));
  set(env, result, "mac", string(env, text));
  set(env, result, "socket", number(env, rte_eth_dev_socket_id(port)));
  set(env, result, "maxRxQueues", number(env, dev.max_rx_queues));
  set(env, result, "maxTxQueues", number(env, dev.max_tx_queues));
  set(env, result, "minRxDescriptors", number(env, dev.rx_desc_lim.nb_min));
  set(env, result, "maxRxDescriptors", number(env, dev.rx_desc_lim.nb_max));
  set(env, result, "maxMtu", number(env, dev.max_mtu));
  // A virtual device may accept an RSS configuration and ignore it: only all of these together mean RSS.
  bool rss = (dev.flow_type_rss_offloads & RSS_TYPES) != 0 && dev.reta_size > 0 && dev.max_rx_queues > 1;
  set(env, result, "rss", boolean(env, rss));
  return result;
}

static int setupQueues(uint16_t port, const std::vector<Memory*>& memories, uint16_t descriptors, uint16_t txQueues) {
  uint16_t rxDescriptors = descriptors;
  uint16_t txDescriptors = 512;
  rte_eth_dev_adjust_nb_rx_tx_desc(port, &rxDescriptors, &txDescriptors);
  int socket = rte_eth_dev_socket_id(port);
  for (uint16_t queue = 0; queue < memories.size(); queue++) {
    int error = rte_eth_rx_queue_setup(port, queue, rxDescriptors, socket, nullptr, memories[queue]->pool);
    if (error != 0) return error;
  }
  for (uint16_t queue = 0; queue < txQueues; queue++) {
    int error = rte_eth_tx_queue_setup(port, queue, txDescriptors, socket, nullptr);
    if (error != 0) return error;
  }
  return 0;
}

// portConfigure(port, { memories, rxDescriptors, mtu, rss }): one receive queue for each memory number, in order.
static napi_value portConfigure(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  rte_eth_dev_info dev = {};
  int error = rte_eth_dev_info_get(port, &dev);
  if (error != 0) return failPort(env, "no such port", error);
  std::vector<Memory*> memories;
  for (napi_value id : elements(env, property(env, args[1], "memories"))) {
    Memory* memory = memoryAt(toUint(env, id, UINT32_MAX));
    if (memory == nullptr) return fail(env, "no such packet memory");
    memories.push_back(memory);
  }
  if (memories.empty()) return fail(env, "a port needs at least one receive queue");
  uint16_t rxQueues = static_cast<uint16_t>(memories.size());
  uint16_t txQueues = std::min(rxQueues, dev.max_tx_queues);
  uint32_t mtu = toUint(env, property(env, args[1], "mtu"));
  rte_eth_conf conf = {};
  if (toBool(env, property(env, args[1], "rss"))) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf = rssConfiguration(dev);
    if (dev.rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH) conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_RSS_HASH;
  }
  // Some virtual devices put a stripped VLAN tag back into their packets only by a way that our buffers do not allow; the
  // reader does it for them.
  bool afPacket = dev.driver_name != nullptr && strcmp(dev.driver_name, "net_af_packet") == 0;
  if (afPacket) conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_VLAN_STRIP & dev.rx_offload_capa;
  uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 8;
  uint32_t room = memories[0]->elementSize - RTE_PKTMBUF_HEADROOM;
  if (mtu + overhead > room && (dev.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0) {
    conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
  }
  if (mtu != 0 && dev.max_mtu != UINT16_MAX) conf.rxmode.mtu = std::min<uint32_t>(mtu, dev.max_mtu);
  error = rte_eth_dev_configure(port, rxQueues, txQueues, &conf);
  if (error != 0) return failPort(env, "the port cannot be configured", error);
  error = setupQueues(port, memories, static_cast<uint16_t>(toUint(env, property(env, args[1], "rxDescriptors"), 1024)),
                      txQueues);
  if (error != 0) return failPort(env, "its queues cannot be set up", error);
  return nullptr;
}

// portStart(port, promiscuous): whether promiscuous mode is really on.
static napi_value portStart(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  int error = rte_eth_dev_start(port);
  if (error != 0) return failPort(env, "the port cannot be started", error);
  if (!toBool(env, args[1])) return boolean(env, false);
  error = rte_eth_promiscuous_enable(port);
  return boolean(env, error == 0);
}

// rssState(port): of a started port with RSS, what it really does: "symmetric", "other key", "no ports" (TCP and UDP flows
// are not told apart by their ports), or "unknown" when the device does not tell.
static napi_value rssState(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  rte_eth_dev_info dev = {};
  int error = rte_eth_dev_info_get(port, &dev);
  if (error != 0) return failPort(env, "no such port", error);
  rte_eth_rss_conf wanted = rssConfiguration(dev);
  uint8_t key[sizeof symmetricKey] = {};
  rte_eth_rss_conf conf = {};
  conf.rss_key = key;
  conf.rss_key_len = wanted.rss_key_len;
  if (rte_eth_dev_rss_hash_conf_get(port, &conf) != 0) return string(env, "unknown");
  if (memcmp(key, wanted.rss_key, wanted.rss_key_len) != 0) return string(env, "other key");
  uint64_t ports = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP;
  return string(env, (conf.rss_hf & ports) == ports ? "symmetric" : "no ports");
}

static napi_value portStop(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  int error = rte_eth_dev_stop(static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX)));
  if (error != 0) return failPort(env, "the port cannot be stopped", error);
  return nullptr;
}

// portStats(port): DPDK's basic counters since the start, and the drops of the device's packet sockets.
static napi_value portStats(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  rte_eth_stats stats = {};
  int error = rte_eth_stats_get(port, &stats);
  if (error != 0) return failPort(env, "no statistics", error);
  auto sockets = socketsOfPort.find(port);
  if (sockets != socketsOfPort.end()) {
    for (int fd : sockets->second) dropsOfPort[port] += packetSocketDrops(fd);
  }
  napi_value result = object(env);
  set(env, result, "ipackets", number(env, static_cast<double>(stats.ipackets)));
  set(env, result, "ibytes", number(env, static_cast<double>(stats.ibytes)));
  set(env, result, "imissed", number(env, static_cast<double>(stats.imissed)));
  set(env, result, "ierrors", number(env, static_cast<double>(stats.ierrors)));
  set(env, result, "rxNombuf", number(env, static_cast<double>(stats.rx_nombuf)));
  set(env, result, "socketDrops", number(env, static_cast<double>(dropsOfPort[port])));
  return result;
}

// portXstats(port): the device's extended counters by name.
static napi_value portXstats(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  int count = rte_eth_xstats_get_names(port, nullptr, 0);
  if (count < 0) return failPort(env, "no extended statistics", count);
  std::vector<rte_eth_xstat_name> names(static_cast<size_t>(count));
  std::vector<rte_eth_xstat> values(static_cast<size_t>(count));
  unsigned size = static_cast<unsigned>(count);
  if (rte_eth_xstats_get_names(port, names.data(), size) > count) return fail(env, "the extended statistics changed");
  int got = std::min(rte_eth_xstats_get(port, values.data(), size), count);
  napi_value result = object(env);
  for (int i = 0; i < got; i++) {
    if (values[i].id < names.size()) {
      set(env, result, names[values[i].id].name, number(env, static_cast<double>(values[i].value)));
    }
  }
  return result;
}

// portSend(port, queue, memory, frame): sends one frame; false when the device did not take it.
static napi_value portSend(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  Memory* memory = memoryAt(toUint(env, args[2], UINT32_MAX));
  if (memory == nullptr) return fail(env, "no such packet memory");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, args[3], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return fail(env, "a frame must be a Uint8Array");
  }
  rte_mbuf* mbuf = rte_pktmbuf_alloc(memory->pool);
  if (mbuf == nullptr) return boolean(env, false);
  if (length > rte_pktmbuf_tailroom(mbuf)) {
    rte_pktmbuf_free(mbuf);
    return fail(env, "a frame of %zu bytes does not fit", length);
  }
  memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(length)), data, length);
  uint16_t sent = rte_eth_tx_burst(static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX)),
                                   static_cast<uint16_t>(toUint(env, args[1])), &mbuf, 1);
  if (sent == 0) rte_pktmbuf_free(mbuf);
  return boolean(env, sent == 1);
}

void definePort(napi_env env, napi_value exports) {
  define(env, exports, "deviceProbe", deviceProbe);
  define(env, exports, "deviceRemove", deviceRemove);
  define(env, exports, "portByName", portByName);
  define(env, exports, "portInfo", portInfo);
  define(env, exports, "portConfigure", portConfigure);
  define(env, exports, "portStart", portStart);
  define(env, exports, "rssState", rssState);
  define(env, exports, "portStop", portStop);
  define(env, exports, "portStats", portStats);
  define(env, exports, "portXstats", portXstats);
  define(env, exports, "portSend", portSend);
}

}  // namespace iris
