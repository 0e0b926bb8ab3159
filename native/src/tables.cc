// The addon `iris_memory`: what large tables in JavaScript's memory want of the system and of the processor, huge pages and
// loads that overlap. Apart from `iris_native`, because captures want it too and need nothing of DPDK.
#include "napi.h"

#include <algorithm>
#include <memory>

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace iris {

static constexpr uint32_t LINE_WORDS = 16;

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

// The lines of one array that another one says. The function made of it has both as properties, which keeps them alive for
// as long as it can be called; references would last until the event loop gets to finalizers.
struct Prefetcher {
  const int32_t* words;
  size_t end;
  const uint32_t* places;
  size_t most;
  uint32_t lines;
  int32_t mixed;

  // The line of place `i` so many lines on; the first of all for what lies out of bounds.
  const int32_t* line(size_t i, uint32_t number) const {
    size_t at = size_t{places[i]} + number * LINE_WORDS;
    return words + (at < end ? at : 0);
  }
  void begin(size_t i) const {
    for (uint32_t number = 0; number < lines; number++) __builtin_prefetch(line(i, number));
  }
  int32_t load(size_t i) const {
    int32_t read = 0;
    for (uint32_t number = 0; number < lines; number++) read ^= *line(i, number);
    return read;
  }
};

// As many lines as a core can have under way at a time. A prefetch beyond that is dropped by some processors, and then it is
// the load behind it that fetches the line: that many prefetches go ahead of the loads.
static constexpr size_t UNDER_WAY = 24;

// prefetch(n): of the first n places.
static napi_value prefetch(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, &data);
  Prefetcher& of = *static_cast<Prefetcher*>(data);
  size_t n = toUint(env, argument);
  if (n > of.most) n = of.most;
  size_t ahead = UNDER_WAY / of.lines;
  if (ahead > n) ahead = n;
  for (size_t i = 0; i < ahead; i++) of.begin(i);
  int32_t mixed = 0;
  for (size_t i = ahead; i < n; i++) {
    of.begin(i);
    mixed ^= of.load(i - ahead);
  }
  for (size_t i = n - ahead; i < n; i++) mixed ^= of.load(i);
  // Stored, or the compiler would drop the loads.
  of.mixed = mixed;
  return nullptr;
}

// prefetcher(words, places, lines): a function that begins to load the lines of `words` (Int32Array) from the first n of
// `places` (Int32Array) on, so many of each, into the cache, and waits for none of them.
static napi_value prefetcher(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  void* data[2];
  size_t length[2];
  for (size_t i = 0; i < 2; i++) {
    napi_typedarray_type type;
    if (napi_get_typedarray_info(env, args[i], &type, &length[i], &data[i], nullptr, nullptr) != napi_ok ||
        type != napi_int32_array) {
      return fail(env, "not an Int32Array");
    }
  }
  auto made = std::make_unique<Prefetcher>();
  made->words = static_cast<const int32_t*>(data[0]);
  made->end = length[0];
  made->places = static_cast<const uint32_t*>(data[1]);
  made->most = length[1];
  made->lines = std::max(1u, toUint(env, args[2], 1));
  if (made->lines > UNDER_WAY || length[0] == 0) return fail(env, "1 to 24 lines, of an array that has some");
  napi_value function;
  napi_create_function(env, "prefetch", NAPI_AUTO_LENGTH, prefetch, made.get(), &function);
  set(env, function, "words", args[0]);
  set(env, function, "places", args[1]);
  napi_add_finalizer(
      env, function, made.release(), [](napi_env, void* data, void*) { delete static_cast<Prefetcher*>(data); }, nullptr,
      nullptr);
  return function;
}

static napi_value init(napi_env env, napi_value exports) {
  define(env, exports, "adviseHuge", adviseHuge);
  define(env, exports, "prefetcher", prefetcher);
  return exports;
}

}  // namespace iris

NAPI_MODULE(NODE_GYP_MODULE_NAME, iris::init)
