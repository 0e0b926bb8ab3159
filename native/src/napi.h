// Small helpers over node_api.h: reading arguments, making values, throwing. Everything here is per call and inline.
#pragma once

#include <node_api.h>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace iris {

// Throws a JavaScript Error with a formatted message; returns nullptr so that `return fail(...)` ends a native function.
__attribute__((format(printf, 2, 3))) inline napi_value fail(napi_env env, const char* format, ...) {
  char message[1024];
  va_list list;
  va_start(list, format);
  vsnprintf(message, sizeof message, format, list);
  va_end(list);
  napi_throw_error(env, nullptr, message);
  return nullptr;
}

// The arguments of a call, at most N; the missing ones are undefined.
template <size_t N>
struct Args {
  napi_value value[N];
  size_t count = N;
  Args(napi_env env, napi_callback_info info) { napi_get_cb_info(env, info, &count, value, nullptr, nullptr); }
  napi_value operator[](size_t i) const { return value[i]; }
};

inline uint32_t toUint(napi_env env, napi_value value, uint32_t otherwise = 0) {
  uint32_t result = otherwise;
  if (napi_get_value_uint32(env, value, &result) != napi_ok) return otherwise;
  return result;
}

inline double toDouble(napi_env env, napi_value value, double otherwise = 0) {
  double result = otherwise;
  if (napi_get_value_double(env, value, &result) != napi_ok) return otherwise;
  return result;
}

inline bool toBool(napi_env env, napi_value value) {
  bool result = false;
  napi_get_value_bool(env, value, &result);
  return result;
}

inline std::string toString(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return {};
  std::string result(length, '\0');
  napi_get_value_string_utf8(env, value, result.data(), length + 1, &length);
  return result;
}

inline napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value result;
  napi_get_undefined(env, &result);
  napi_get_named_property(env, object, name, &result);
  return result;
}

inline std::vector<napi_value> elements(napi_env env, napi_value array) {
  uint32_t length = 0;
  std::vector<napi_value> result;
  if (napi_get_array_length(env, array, &length) != napi_ok) return result;
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    if (napi_get_element(env, array, i, &element) == napi_ok) result.push_back(element);
  }
  return result;
}

inline napi_value number(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}

inline napi_value boolean(napi_env env, bool value) {
  napi_value result;
  napi_get_boolean(env, value, &result);
  return result;
}

inline napi_value string(napi_env env, const std::string& value) {
  napi_value result;
  napi_create_string_utf8(env, value.data(), value.size(), &result);
  return result;
}

inline napi_value object(napi_env env) {
  napi_value result;
  napi_create_object(env, &result);
  return result;
}

inline void set(napi_env env, napi_value target, const char* name, napi_value value) {
  napi_set_named_property(env, target, name, value);
}

inline void define(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  set(env, exports, name, value);
}

}  // namespace iris
