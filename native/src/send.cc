// Writing to a socket that may be shared with other programs, without waiting for its reader and without changing its mode.
#include <sys/socket.h>

#include <cerrno>

#include "napi.h"
#include "state.h"

namespace iris {

// sendNow(fd, bytes, from, to): sends those bytes as far as the socket takes them now; how many, or -errno.
static napi_value sendNow(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, args[1], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return fail(env, "the bytes must be a Uint8Array");
  }
  size_t from = toUint(env, args[2]);
  size_t to = toUint(env, args[3]);
  if (to > length || from > to) return fail(env, "bytes %zu to %zu of %zu cannot be sent", from, to, length);
  int fd = static_cast<int>(toUint(env, args[0], INT32_MAX));
  ssize_t sent = send(fd, static_cast<uint8_t*>(data) + from, to - from, MSG_DONTWAIT | MSG_NOSIGNAL);
  return number(env, static_cast<double>(sent < 0 ? -errno : sent));
}

void defineSend(napi_env env, napi_value exports) { define(env, exports, "sendNow", sendNow); }

}  // namespace iris
