// Pinning of threads to cores. Linux only; elsewhere pinning says that it cannot.
#include "napi.h"
#include "state.h"

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

#include <cerrno>
#include <cstring>

namespace iris {

// threadPin(core): the calling thread runs on that core only from now on.
static napi_value threadPin(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
#ifdef __linux__
  uint32_t core = toUint(env, args[0], CPU_SETSIZE);
  if (core >= CPU_SETSIZE) return fail(env, "no such core");
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  if (error != 0) return fail(env, "core %u: %s", core, strerror(error));
  return nullptr;
#else
  return fail(env, "threads cannot be pinned on this system");
#endif
}

// threadAffinity(): the cores that the calling thread may run on.
static napi_value threadAffinity(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_array(env, &result);
#ifdef __linux__
  cpu_set_t set;
  CPU_ZERO(&set);
  if (pthread_getaffinity_np(pthread_self(), sizeof set, &set) == 0) {
    uint32_t n = 0;
    for (int core = 0; core < CPU_SETSIZE; core++) {
      if (CPU_ISSET(core, &set)) napi_set_element(env, result, n++, number(env, core));
    }
  }
#endif
  return result;
}

void defineThread(napi_env env, napi_value exports) {
  define(env, exports, "threadPin", threadPin);
  define(env, exports, "threadAffinity", threadAffinity);
}

}  // namespace iris
