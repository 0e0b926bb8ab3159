// What the addon keeps: process-wide packet memories (created by the main thread, used by workers), and per JavaScript
// environment (one per worker) its readers and the thread's registration with DPDK, let go when the environment ends.
#pragma once

#include <node_api.h>

#include <cstdint>

namespace iris {

#ifdef IRIS_HAVE_DPDK
struct EnvDpdk;
EnvDpdk* envDpdkCreate();
// Closes the readers, then unregisters the thread. Runs on the environment's own thread.
void envDpdkDestroy(EnvDpdk* state);
#endif

struct EnvState {
#ifdef IRIS_HAVE_DPDK
  EnvDpdk* dpdk = nullptr;
#endif
};

inline EnvState* stateOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<EnvState*>(data);
}

void defineThread(napi_env env, napi_value exports);
void defineSend(napi_env env, napi_value exports);
#ifdef IRIS_HAVE_DPDK
void defineEal(napi_env env, napi_value exports);
void defineMemory(napi_env env, napi_value exports);
void definePort(napi_env env, napi_value exports);
void defineReader(napi_env env, napi_value exports);
void defineRing(napi_env env, napi_value exports);
void defineFlow(napi_env env, napi_value exports);
#endif

}  // namespace iris
