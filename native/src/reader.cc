// Readers as JavaScript has them: opened over queues and packet rows, polled, told what it holds and where packets go.
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "dpdk.h"
#include "napi.h"

namespace iris {

static Reader* readerAt(napi_env env, napi_value handle) {
  EnvDpdk* state = stateOf(env)->dpdk;
  uint32_t index = toUint(env, handle, UINT32_MAX);
  return index < state->readers.size() ? state->readers[index].get() : nullptr;
}

// readerOpen(memory, rows, queues, lane): queues is a flat list of [port, queue, link type, packet times 0 or 1, ring + 1
// or 0 for the queue itself].
static napi_value readerOpen(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  uint32_t id = toUint(env, args[0], UINT32_MAX);
  Memory* memory = memoryAt(id);
  if (memory == nullptr) return fail(env, "no packet memory %u", id);
  auto reader = std::make_unique<Reader>();
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, args[1], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || length < ROW_WORDS) {
    return fail(env, "the packet rows must be an Int32Array");
  }
  std::vector<napi_value> words = elements(env, args[2]);
  if (words.empty() || words.size() % 5 != 0) return fail(env, "a reader needs at least one queue");
  for (size_t i = 0; i < words.size(); i += 5) {
    RxQueue queue;
    queue.port = static_cast<uint16_t>(toUint(env, words[i]));
    queue.queue = static_cast<uint16_t>(toUint(env, words[i + 1]));
    queue.link = static_cast<int32_t>((toUint(env, words[i + 2]) & 0xffff) | (static_cast<uint32_t>(queue.port) << 16));
    queue.packetTime = toUint(env, words[i + 3]) != 0;
    uint32_t ring = toUint(env, words[i + 4]);
    if (ring != 0 && (queue.source = ringAt(ring - 1)) == nullptr) return fail(env, "no ring %u", ring - 1);
    reader->queues.push_back(queue);
  }
  reader->rows = static_cast<int32_t*>(data);
  reader->rowCount = static_cast<uint32_t>(length / ROW_WORDS);
  reader->memoryId = id;
  reader->lane = toUint(env, args[3]);
  if (reader->lane >= memory->lanes) return fail(env, "packet memory %u has %u lanes", id, memory->lanes);
  reader->held.assign(memory->poolBytes / memory->elementSize, nullptr);
  reader->timeOffset = rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, nullptr);
  int flag = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, nullptr);
  reader->timeFlag = reader->timeOffset >= 0 && flag >= 0 ? RTE_BIT64(flag) : 0;
  napi_create_reference(env, args[1], 1, &reader->rowsRef);
  reader->memory = memory;
  memory->users++;
  EnvDpdk* state = stateOf(env)->dpdk;
  state->readers.push_back(std::move(reader));
  return number(env, static_cast<double>(state->readers.size() - 1));
}

// rxBurst(reader, max): fills at most `max` rows, returns how many; -1 for none while other workers lag behind. The bytes of
// the previous burst become invalid.
static napi_value rxBurst(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  Reader* reader = readerAt(env, args[0]);
  if (reader == nullptr) return fail(env, "this reader is closed");
  uint32_t max = toUint(env, args[1]);
  if (max > BURST_MAX) max = BURST_MAX;
  if (max > reader->rowCount) max = reader->rowCount;
  int32_t rows = static_cast<int32_t>(readerPoll(*reader, max));
  napi_value result;
  napi_create_int32(env, rows == 0 && readerOthersLag(*reader) ? -1 : rows, &result);
  return result;
}

// readerRelease(reader, offsets, n): gives back held mbufs, by the OFFSET words their rows had; returns how many were.
static napi_value releaseHeld(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  Reader* reader = readerAt(env, args[0]);
  if (reader == nullptr) return fail(env, "this reader is closed");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, args[1], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array) {
    return fail(env, "the offsets must be an Int32Array");
  }
  size_t n = toUint(env, args[2]);
  if (n > length) n = length;
  uint32_t freed = 0;
  for (size_t i = 0; i < n; i++) {
    uint32_t element = static_cast<uint32_t>(static_cast<int32_t*>(data)[i]) / reader->memory->elementSize;
    if (element >= reader->held.size() || reader->held[element] == nullptr) continue;
    rte_pktmbuf_free(reader->held[element]);
    reader->held[element] = nullptr;
    freed++;
  }
  reader->heldCount -= freed;
  return number(env, freed);
}

// readerStats(reader, out): out[0..4] = packets, bytes, frames too long, mbufs held, packets that found
// no room in the ring of their worker.
static napi_value readerStats(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  Reader* reader = readerAt(env, args[0]);
  if (reader == nullptr) return fail(env, "this reader is closed");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, args[1], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array || length < 5) {
    return fail(env, "statistics go into a Float64Array of 5");
  }
  double* out = static_cast<double*>(data);
  out[0] = static_cast<double>(reader->packets);
  out[1] = static_cast<double>(reader->bytes);
  out[2] = static_cast<double>(reader->oversize);
  out[3] = reader->heldCount;
  out[4] = static_cast<double>(reader->ringFull);
  return nullptr;
}

// readerTargets(reader, queue, rings): packets of the reader's `queue` (its place in the list) for worker i go to ring
// rings[i] - 1; 0 where there is none.
static napi_value readerTargets(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  Reader* reader = readerAt(env, args[0]);
  if (reader == nullptr) return fail(env, "this reader is closed");
  uint32_t queue = toUint(env, args[1], UINT32_MAX);
  if (queue >= reader->queues.size()) return fail(env, "the reader has no queue %u", queue);
  std::vector<rte_ring*> targets;
  for (napi_value ring : elements(env, args[2])) {
    uint32_t id = toUint(env, ring);
    targets.push_back(id == 0 ? nullptr : ringAt(id - 1));
  }
  reader->queues[queue].targets = std::move(targets);
  return nullptr;
}

static napi_value readerClose(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Reader* reader = readerAt(env, args[0]);
  if (reader == nullptr) return nullptr;
  readerRelease(*reader);
  napi_delete_reference(env, reader->rowsRef);
  stateOf(env)->dpdk->readers[toUint(env, args[0])].reset();
  return nullptr;
}

void defineReader(napi_env env, napi_value exports) {
  define(env, exports, "readerOpen", readerOpen);
  define(env, exports, "rxBurst", rxBurst);
  define(env, exports, "readerRelease", releaseHeld);
  define(env, exports, "readerStats", readerStats);
  define(env, exports, "readerTargets", readerTargets);
  define(env, exports, "readerClose", readerClose);
}

}  // namespace iris
