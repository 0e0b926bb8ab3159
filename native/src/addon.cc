// Entry of the addon: one instance of EnvState per JavaScript environment, released by a clean-up hook, so that a worker
// that exits or is terminated leaves neither mbufs nor a registered thread behind.
#include "napi.h"
#include "state.h"

#ifdef IRIS_HAVE_DPDK
#include <rte_version.h>
#endif

namespace iris {

static void cleanup(void* data) {
  EnvState* state = static_cast<EnvState*>(data);
#ifdef IRIS_HAVE_DPDK
  envDpdkDestroy(state->dpdk);
  state->dpdk = nullptr;
#endif
  delete state;
}

static napi_value init(napi_env env, napi_value exports) {
  EnvState* state = new EnvState();
#ifdef IRIS_HAVE_DPDK
  state->dpdk = envDpdkCreate();
#endif
  napi_set_instance_data(env, state, nullptr, nullptr);
  napi_add_env_cleanup_hook(env, cleanup, state);
  defineThread(env, exports);
  defineSend(env, exports);
#ifdef IRIS_HAVE_DPDK
  set(env, exports, "haveDpdk", boolean(env, true));
  set(env, exports, "dpdkVersion", string(env, rte_version()));
  defineEal(env, exports);
  defineMemory(env, exports);
  definePort(env, exports);
  defineReader(env, exports);
  defineRing(env, exports);
  defineFlow(env, exports);
#else
  set(env, exports, "haveDpdk", boolean(env, false));
  set(env, exports, "dpdkVersion", string(env, ""));
#endif
  return exports;
}

}  // namespace iris

NAPI_MODULE(NODE_GYP_MODULE_NAME, iris::init)
