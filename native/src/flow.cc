// Hardware filter (rte_flow): rules given as header bytes, validated, installed, counted and flushed; and the RSS table.
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "dpdk.h"
#include "napi.h"

namespace iris {

// Installed rules by port; those that count have a handle in `counted`.
struct PortFlows {
  std::vector<rte_flow*> installed;
  std::vector<rte_flow*> counted;
};
static std::map<uint16_t, PortFlows> flowsOfPort;

// One header of a pattern. Each buffer holds the largest item.
struct Item {
  rte_flow_item_type type;
  bool has[3] = {false, false, false};
  alignas(8) uint8_t bytes[3][64] = {};
};

static bool itemType(const std::string& name, rte_flow_item_type& type) {
  static const std::map<std::string, rte_flow_item_type> types = {{"eth", RTE_FLOW_ITEM_TYPE_ETH},
                                                                  {"ipv4", RTE_FLOW_ITEM_TYPE_IPV4},
                                                                  {"ipv6", RTE_FLOW_ITEM_TYPE_IPV6},
                                                                  {"tcp", RTE_FLOW_ITEM_TYPE_TCP},
                                                                  {"udp", RTE_FLOW_ITEM_TYPE_UDP}};
  auto found = types.find(name);
  if (found == types.end()) return false;
  type = found->second;
  return true;
}

static bool readItem(napi_env env, napi_value value, Item& item) {
  if (!itemType(toString(env, property(env, value, "type")), item.type)) return false;
  const char* names[3] = {"spec", "last", "mask"};
  for (int i = 0; i < 3; i++) {
    napi_value part = property(env, value, names[i]);
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env, part, &type, &length, &data, nullptr, nullptr) != napi_ok) continue;
    if (type != napi_uint8_array || length > sizeof item.bytes[i]) return false;
    memcpy(item.bytes[i], data, length);
    item.has[i] = true;
  }
  return true;
}

// flowRule(port, { priority, items, action, count }, queues, install): undefined when the device takes the rule, else its
// reason. `queues`: where packets that pass go, the device's own spreading if there are several.
static napi_value flowRule(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  rte_eth_dev_info dev = {};
  if (rte_eth_dev_info_get(port, &dev) != 0) return fail(env, "no such port");
  std::vector<Item> items;
  for (napi_value value : elements(env, property(env, args[1], "items"))) {
    items.emplace_back();
    if (!readItem(env, value, items.back())) return fail(env, "not an item of a flow rule");
  }
  std::vector<rte_flow_item> pattern;
  for (Item& item : items) {
    pattern.push_back({item.type, item.has[0] ? item.bytes[0] : nullptr, item.has[1] ? item.bytes[1] : nullptr,
                       item.has[2] ? item.bytes[2] : nullptr});
  }
  pattern.push_back({RTE_FLOW_ITEM_TYPE_END, nullptr, nullptr, nullptr});

  std::vector<uint16_t> queues;
  for (napi_value queue : elements(env, args[2])) queues.push_back(static_cast<uint16_t>(toUint(env, queue)));
  bool drop = toString(env, property(env, args[1], "action")) == "drop";
  bool count = toBool(env, property(env, args[1], "count"));
  if (!drop && queues.empty()) return fail(env, "packets that pass need a queue");
  rte_flow_action_count counter = {};
  rte_flow_action_queue queue = {};
  rte_flow_action_rss rss = {};
  rte_eth_rss_conf conf = rssConfiguration(dev);
  std::vector<rte_flow_action> actions;
  if (count) actions.push_back({RTE_FLOW_ACTION_TYPE_COUNT, &counter});
  if (drop) {
    actions.push_back({RTE_FLOW_ACTION_TYPE_DROP, nullptr});
  } else if (queues.size() == 1) {
    queue.index = queues[0];
    actions.push_back({RTE_FLOW_ACTION_TYPE_QUEUE, &queue});
  } else {
    rss.types = conf.rss_hf;
    rss.key = conf.rss_key;
    rss.key_len = conf.rss_key_len;
    rss.queue = queues.data();
    rss.queue_num = static_cast<uint32_t>(queues.size());
    actions.push_back({RTE_FLOW_ACTION_TYPE_RSS, &rss});
  }
  actions.push_back({RTE_FLOW_ACTION_TYPE_END, nullptr});

  rte_flow_attr attributes = {};
  attributes.ingress = 1;
  attributes.priority = toUint(env, property(env, args[1], "priority"));
  rte_flow_error error = {};
  int result = rte_flow_validate(port, &attributes, pattern.data(), actions.data(), &error);
  if (result == 0 && toBool(env, args[3])) {
    rte_flow* flow = rte_flow_create(port, &attributes, pattern.data(), actions.data(), &error);
    if (flow != nullptr) {
      flowsOfPort[port].installed.push_back(flow);
      if (count) flowsOfPort[port].counted.push_back(flow);
      return nullptr;
    }
    result = -rte_errno;
  }
  if (result == 0) return nullptr;
  if (result == -ENOSYS) return string(env, "it has no flow rules");
  return string(env, error.message != nullptr ? error.message : rte_strerror(-result));
}

// flowDropped(port): packets that rules with a counter matched; -1 when nothing counts.
static napi_value flowDropped(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  auto flows = flowsOfPort.find(port);
  if (flows == flowsOfPort.end() || flows->second.counted.empty()) return number(env, -1);
  uint64_t hits = 0;
  for (rte_flow* flow : flows->second.counted) {
    rte_flow_action_count counter = {};
    rte_flow_action actions[2] = {{RTE_FLOW_ACTION_TYPE_COUNT, &counter}, {RTE_FLOW_ACTION_TYPE_END, nullptr}};
    rte_flow_query_count query = {};
    rte_flow_error error = {};
    if (rte_flow_query(port, flow, actions, &query, &error) == 0 && query.hits_set) hits += query.hits;
  }
  return number(env, static_cast<double>(hits));
}

// flowFlush(port): removes all rules of the port.
static napi_value flowFlush(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  auto flows = flowsOfPort.find(port);
  if (flows == flowsOfPort.end() || flows->second.installed.empty()) return nullptr;
  rte_flow_error error = {};
  int result = rte_flow_flush(port, &error);
  flowsOfPort.erase(port);
  if (result != 0) {
    return fail(env, "flow rules cannot be removed: %s", error.message != nullptr ? error.message : rte_strerror(-result));
  }
  return nullptr;
}

// rssTable(port): the queue of each entry of the device's RSS table, empty when it has none.
static napi_value rssTable(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  rte_eth_dev_info dev = {};
  if (rte_eth_dev_info_get(port, &dev) != 0) return fail(env, "no such port");
  napi_value result;
  napi_create_array(env, &result);
  std::vector<rte_eth_rss_reta_entry64> groups((dev.reta_size + RTE_ETH_RETA_GROUP_SIZE - 1) / RTE_ETH_RETA_GROUP_SIZE);
  for (auto& group : groups) group.mask = UINT64_MAX;
  if (groups.empty() || rte_eth_dev_rss_reta_query(port, groups.data(), dev.reta_size) != 0) return result;
  for (uint32_t i = 0; i < dev.reta_size; i++) {
    uint16_t queue = groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
    napi_set_element(env, result, i, number(env, queue));
  }
  return result;
}

// rssTableSet(port, queues): one queue for each entry; whether the device took it.
static napi_value rssTableSet(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  uint16_t port = static_cast<uint16_t>(toUint(env, args[0], UINT16_MAX));
  std::vector<napi_value> queues = elements(env, args[1]);
  std::vector<rte_eth_rss_reta_entry64> groups((queues.size() + RTE_ETH_RETA_GROUP_SIZE - 1) / RTE_ETH_RETA_GROUP_SIZE);
  for (size_t i = 0; i < queues.size(); i++) {
    rte_eth_rss_reta_entry64& group = groups[i / RTE_ETH_RETA_GROUP_SIZE];
    group.mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
    group.reta[i % RTE_ETH_RETA_GROUP_SIZE] = static_cast<uint16_t>(toUint(env, queues[i]));
  }
  int result = rte_eth_dev_rss_reta_update(port, groups.data(), static_cast<uint16_t>(queues.size()));
  return boolean(env, result == 0);
}

void defineFlow(napi_env env, napi_value exports) {
  define(env, exports, "flowRule", flowRule);
  define(env, exports, "flowDropped", flowDropped);
  define(env, exports, "flowFlush", flowFlush);
  define(env, exports, "rssTable", rssTable);
  define(env, exports, "rssTableSet", rssTableSet);
}

}  // namespace iris
