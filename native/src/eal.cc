// Start and stop of DPDK's environment abstraction layer (EAL), its log, and registration of threads with it.
#include <fcntl.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_memory.h>
#include <rte_thread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dpdk.h"
#include "napi.h"

namespace iris {

static std::mutex logMutex;
static std::deque<std::string> logLines;
static constexpr size_t LOG_LINES = 200;
static bool running = false;
static bool started = false;

bool ealRunning() { return running; }

// DPDK's log goes into memory, so that its sentences can stand in our error messages instead of on the user's terminal.
static ssize_t writeLog(void*, const char* text, size_t length) {
  std::lock_guard<std::mutex> lock(logMutex);
  size_t from = 0;
  while (from < length) {
    const char* end = static_cast<const char*>(memchr(text + from, '\n', length - from));
    size_t to = end == nullptr ? length : static_cast<size_t>(end - text);
    if (to > from) logLines.emplace_back(text + from, to - from);
    from = to + 1;
  }
  while (logLines.size() > LOG_LINES) logLines.pop_front();
  return static_cast<ssize_t>(length);
}

static void openLog() {
  static FILE* stream = nullptr;
  if (stream != nullptr) return;
  cookie_io_functions_t functions = {nullptr, writeLog, nullptr, nullptr};
  stream = fopencookie(nullptr, "w", functions);
  if (stream == nullptr) return;
  setvbuf(stream, nullptr, _IOLBF, 1024);
  rte_openlog_stream(stream);
}

// DPDK also speaks on the standard output and error when its arguments are wrong. While this lives, that goes into the log.
class Muffler {
 public:
  Muffler() : file(memfd_create("iris-eal", MFD_CLOEXEC)) {
    if (file < 0) return;
    fflush(stdout);
    fflush(stderr);
    for (int fd : {1, 2}) {
      saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
      if (saved[fd] >= 0) dup2(file, fd);
    }
  }
  ~Muffler() {
    if (file < 0) return;
    fflush(stdout);
    fflush(stderr);
    for (int fd : {1, 2}) {
      if (saved[fd] < 0) continue;
      dup2(saved[fd], fd);
      close(saved[fd]);
    }
    char text[4096];
    ssize_t length = pread(file, text, sizeof text, 0);
    if (length > 0) writeLog(nullptr, text, static_cast<size_t>(length));
    close(file);
  }

 private:
  int file;
  int saved[3] = {-1, -1, -1};
};

// Without hugepages DPDK's own heap sits on 4 KiB pages; transparent huge pages bring most of the speed back.
static int adviseHuge(const rte_memseg_list* list, void*) {
  if (list->external == 0) madvise(list->base_va, list->len, MADV_HUGEPAGE);
  return 0;
}

// ealStart(args): starts the EAL once per process. rte_eal_init pins its caller to the main lcore, therefore it runs on
// a thread that ends right after.
static napi_value ealStart(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  if (running) return fail(env, "DPDK is already running in this process");
  if (started) return fail(env, "DPDK can be started only once in a process");
  std::vector<std::string> words;
  for (napi_value word : elements(env, args[0])) words.push_back(toString(env, word));
  openLog();
  int result = -1;
  int error = 0;
  {
    Muffler muffler;
    std::thread starter([&] {
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      result = rte_eal_init(static_cast<int>(argv.size()) - 1, argv.data());
      error = rte_errno;
    });
    starter.join();
  }
  started = true;
  if (result < 0) return fail(env, "%s", rte_strerror(error));
  running = true;
  if (!rte_eal_has_hugepages()) rte_memseg_list_walk(adviseHuge, nullptr);
  return nullptr;
}

// ealStop(): every port must be closed and every packet memory freed.
static napi_value ealStop(napi_env env, napi_callback_info) {
  if (!running) return nullptr;
  if (memoriesInUse() != 0) return fail(env, "a packet memory is still in use");
  running = false;
  rte_eal_cleanup();
  return nullptr;
}

// ealLog(): takes the lines logged since the last call.
static napi_value ealLog(napi_env env, napi_callback_info) {
  std::deque<std::string> lines;
  {
    std::lock_guard<std::mutex> lock(logMutex);
    lines.swap(logLines);
  }
  napi_value result;
  napi_create_array(env, &result);
  uint32_t n = 0;
  for (const std::string& line : lines) napi_set_element(env, result, n++, string(env, line));
  return result;
}

static napi_value hasHugepages(napi_env env, napi_callback_info) {
  return boolean(env, running && rte_eal_has_hugepages() != 0);
}

// threadRegister(): gives the calling thread an lcore number, which switches its mempool caches on; returns it.
static napi_value threadRegister(napi_env env, napi_callback_info) {
  if (!running) return fail(env, "DPDK is not running");
  EnvDpdk* state = stateOf(env)->dpdk;
  if (rte_lcore_id() == LCORE_ID_ANY) {
    if (rte_thread_register() < 0) return fail(env, "no more threads can register: %s", rte_strerror(rte_errno));
    state->registered = true;
  }
  return number(env, rte_lcore_id());
}

static napi_value threadUnregister(napi_env env, napi_callback_info) {
  EnvDpdk* state = stateOf(env)->dpdk;
  if (state->registered) rte_thread_unregister();
  state->registered = false;
  return nullptr;
}

EnvDpdk* envDpdkCreate() { return new EnvDpdk(); }

void envDpdkDestroy(EnvDpdk* state) {
  for (auto& reader : state->readers) {
    if (reader) readerRelease(*reader);
  }
  state->readers.clear();
  for (uint32_t id : state->attached) memoryRelease(id);
  if (state->registered && running) rte_thread_unregister();
  delete state;
}

void defineEal(napi_env env, napi_value exports) {
  define(env, exports, "ealStart", ealStart);
  define(env, exports, "ealStop", ealStop);
  define(env, exports, "ealLog", ealLog);
  define(env, exports, "hasHugepages", hasHugepages);
  define(env, exports, "threadRegister", threadRegister);
  define(env, exports, "threadUnregister", threadUnregister);
}

}  // namespace iris
