// The addon `iris_memory`: huge pages for memory that JavaScript holds. Apart from `iris_native`, because captures want it
// too and need nothing of DPDK.
#include "napi.h"

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace iris {

// adviseHuge(buffer, from, to): the bytes of an ArrayBuffer from `from` to `to` - 1 are put on huge pages as they are first
// touched. False where the system has none.
static napi_value adviseHuge(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  void* data = nullptr;
  size_t length = 0;
  double from = toDouble(env, args[1], -1);
  double to = toDouble(env, args[2], -1);
  if (napi_get_arraybuffer_info(env, args[0], &data, &length) != napi_ok) return fail(env, "not an ArrayBuffer");
  if (!(from >= 0 && from <= to && to <= static_cast<double>(length))) return fail(env, "not within the buffer");
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Whole pages only: what shares a page with these bytes is none of ours.
  uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  uintptr_t start = reinterpret_cast<uintptr_t>(data) + static_cast<uintptr_t>(from);
  uintptr_t stop = reinterpret_cast<uintptr_t>(data) + static_cast<uintptr_t>(to);
  start = (start + page - 1) & ~(page - 1);
  stop &= ~(page - 1);
  return boolean(env, start < stop && madvise(reinterpret_cast<void*>(start), stop - start, MADV_HUGEPAGE) == 0);
#else
  return boolean(env, false);
#endif
}

static napi_value init(napi_env env, napi_value exports) {
  define(env, exports, "adviseHuge", adviseHuge);
  return exports;
}

}  // namespace iris

NAPI_MODULE(NODE_GYP_MODULE_NAME, iris::init)
