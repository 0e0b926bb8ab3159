// The floor: the least work that counts the connections of a capture, in C++, on the data layout the engine uses. The
// bench sets the engine's time beside this one's on the same file. One thread; no options but those of the work.
//
//   floor FILE [--mode read|walk|parse|hash|lookup|count|full] [--batch 64|1] [--max CONNECTIONS]
//
// Modes are cumulative stages: read the file in 256 KiB chunks; walk its records; parse Ethernet (VLAN), IPv4, IPv6, TCP,
// UDP; hash the five-tuple; look it up and open connections; count per direction and end TCP on FIN or RST; keep timers,
// expire and drain. Prints one JSON line: what was seen, so that the work can be compared, and CPU nanoseconds.
//
// Build: g++ -O3 -march=native -std=c++17 -o floor floor.cc

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

#include "table.h"

namespace {

enum Stage { READ, WALK, PARSE, HASH, LOOKUP, COUNT, FULL };

constexpr uint32_t CHUNK = 256 * 1024;
constexpr int BATCH_MAX = 64;
constexpr uint8_t FIN = 1, SYN = 2, RST = 4, ACK = 16;

struct Totals {
  uint64_t packets = 0, frames = 0, bytes = 0, accumulator = 0;
  uint64_t opened = 0, delivered = 0, conn_packets = 0, conn_bytes = 0, conn_payload = 0, refused = 0;
};

uint32_t load16(const uint8_t *p) { return uint32_t(p[0]) << 8 | p[1]; }
uint32_t load32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return __builtin_bswap32(v);
}
uint32_t little32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

// Seeded, symmetric: equal for both directions.
constexpr uint32_t SEED = 0x5bd1e995;
uint32_t end_hash(uint32_t address, uint32_t port) {
  uint32_t h = (address ^ SEED) * 0x9e3779b1u ^ port * 0x85ebca6bu;
  return (h ^ h >> 15) * 0xc2b2ae35u;
}
uint32_t tuple_hash(const Packet &p) {
  uint32_t h = end_hash(p.src, p.ports >> 16) + end_hash(p.dst, p.ports & 0xffff) + (p.meta & KEY);
  h = (h ^ h >> 16) * 0x7feb352du;
  return h ^ h >> 15;
}
uint32_t fold_v6(const uint8_t *p) {
  uint64_t a, b;
  memcpy(&a, p, 8);
  memcpy(&b, p + 8, 8);
  uint64_t h = (a ^ SEED) * 0x9e3779b97f4a7c15u ^ b * 0xc2b2ae3d27d4eb4fu;
  return uint32_t(h >> 32) ^ uint32_t(h);
}

// The view of a finished connection, handed to its receiver.
__attribute__((noinline)) void deliver(const Record &r, Totals &t) {
  t.delivered++;
  t.conn_packets += r.packets[0] + r.packets[1];
  t.conn_bytes += r.bytes[0] + r.bytes[1];
  t.conn_payload += uint64_t(r.payload[0]) + r.payload[1];
}

template <Stage STAGE, int BATCH> class Floor {
public:
  Floor(uint32_t max) : table_(max) {}

  Totals totals;

  // Works on whole records of bytes[0..length) and returns how many bytes they took.
  uint32_t chunk(const uint8_t *bytes, uint32_t length, bool nanoseconds) {
    uint32_t at = 0;
    for (;;) {
      int n = 0, records = 0;
      while (records < BATCH && length - at >= 16) {
        const uint32_t captured = little32(bytes + at + 8);
        if (length - at - 16 < captured) break;
        const uint8_t *frame = bytes + at + 16;
        Packet &p = batch_[n];
        p.sec = little32(bytes + at);
        p.nsec = little32(bytes + at + 4) * (nanoseconds ? 1 : 1000);
        p.wire = little32(bytes + at + 12);
        at += 16 + captured;
        records++;
        totals.packets++;
        totals.bytes += p.wire;
        if (STAGE >= PARSE && parse(frame, captured, p)) {
          if (STAGE >= HASH) p.hash = tuple_hash(p);
          n++;
        }
      }
      if (records == 0) return at;
      totals.frames += n;
      if (STAGE == PARSE || STAGE == HASH) {
        for (int i = 0; i < n; i++) totals.accumulator += STAGE == HASH ? batch_[i].hash : batch_[i].src ^ batch_[i].ports;
      }
      if (STAGE >= LOOKUP) {
        if (BATCH > 1) totals.accumulator += table_.load_ahead(n, [&](uint32_t i) { return batch_[i].hash; });
        for (int i = 0; i < n; i++) track(batch_[i]);
        if (STAGE >= FULL && n > 0) advance(batch_[n - 1]);
      }
    }
  }

  void drain() {
    for (uint32_t id = 1; id <= table_.used(); id++) {
      if (table_.at(id).meta != 0 && STAGE >= FULL) deliver(table_.at(id), totals);
    }
  }

private:
  static bool parse(const uint8_t *frame, uint32_t captured, Packet &p) {
    if (captured < 34) return false;
    uint32_t l3 = 14, type = load16(frame + 12);
    while (type == 0x8100 || type == 0x88a8) {
      if (captured < l3 + 24) return false;
      type = load16(frame + l3 + 2);
      l3 += 4;
    }
    const uint8_t *ip = frame + l3;
    uint32_t l4, proto, length;
    if (type == 0x0800) {
      const uint32_t header = (ip[0] & 15) * 4u;
      length = load16(ip + 2);
      proto = ip[9];
      if (ip[0] >> 4 != 4 || header < 20 || (load16(ip + 6) & 0x3fff) != 0) return false;
      p.src = load32(ip + 12);
      p.dst = load32(ip + 16);
      p.meta = proto;
      l4 = header;
    } else if (type == 0x86dd) {
      if (captured < l3 + 40 || ip[0] >> 4 != 6) return false;
      length = load16(ip + 4) + 40;
      proto = ip[6];
      l4 = 40;
      while (proto == 0 || proto == 43 || proto == 60) {
        if (captured < l3 + l4 + 8) return false;
        proto = ip[l4];
        l4 += (ip[l4 + 1] + 1) * 8u;
      }
      p.src = fold_v6(ip + 8);
      p.dst = fold_v6(ip + 24);
      p.meta = proto | IPV6;
    } else {
      return false;
    }
    p.length = length;
    const uint8_t *transport = ip + l4;
    if (proto == 6) {
      if (captured < l3 + l4 + 20 || length < l4 + 20) return false;
      const uint32_t header = (transport[12] >> 4) * 4u;
      if (header < 20 || length < l4 + header) return false;
      p.payload = length - l4 - header;
      p.flags = transport[13];
    } else if (proto == 17) {
      if (captured < l3 + l4 + 8 || length < l4 + 8) return false;
      p.payload = length - l4 - 8;
      p.flags = 0;
    } else {
      return false;
    }
    p.ports = load32(transport);
    p.l3 = ip;
    return true;
  }

  static uint64_t nanoseconds(uint32_t sec, uint32_t nsec) { return uint64_t(sec) * 1000000000u + nsec; }
  static uint64_t timeout(uint32_t meta) {
    if ((meta & PROTO) == 17) return 60000000000u;
    return meta & SECOND ? 300000000000u : 5000000000u;
  }
  static uint64_t deadline(const Record &r) { return nanoseconds(r.last_sec, r.last_nsec) + timeout(r.meta); }
  // Ticks of 100 ms; the tick by whose end the deadline has passed.
  static uint32_t tick_of(uint64_t time) { return uint32_t(time / 100000000u); }

  void track(const Packet &p) {
    uint32_t dir = 0;
    uint32_t id = table_.find(p, dir);
    if (STAGE >= FULL && id != 0 && deadline(table_.at(id)) < nanoseconds(p.sec, p.nsec)) {
      finish(id);
      id = 0;
    }
    if (id == 0) {
      if ((p.meta & PROTO) == 6 && (p.flags & (SYN | ACK | RST | FIN)) != SYN) return;
      id = table_.insert(p);
      if (id == 0) {
        totals.refused++;
        return;
      }
      totals.opened++;
      dir = 0;
      if (STAGE >= FULL) schedule(id, deadline(table_.at(id)));
    } else {
      table_.at(id).meta |= SECOND;
    }
    if (STAGE < COUNT) return;
    Record &r = table_.at(id);
    r.packets[dir]++;
    r.bytes[dir] += p.length;
    r.payload[dir] += p.payload;
    r.last_sec = p.sec;
    r.last_nsec = p.nsec;
    if ((p.meta & PROTO) == 6) {
      if (p.flags & RST) return finish(id);
      // Packets are in order here: an ACK behind the other side's FIN acknowledges it.
      if ((p.flags & ACK) && (r.meta & FIN_0 << (1 - dir))) r.meta |= FINACK_0 << (1 - dir);
      if (p.flags & FIN) r.meta |= FIN_0 << dir;
      if ((r.meta & FINACKS) == FINACKS) finish(id);
    }
  }

  void finish(uint32_t id) {
    deliver(table_.at(id), totals);
    table_.remove(id);
  }

  void schedule(uint32_t id, uint64_t time) {
    const uint32_t tick = tick_of(time) + 1;
    table_.at(id).tick = tick;
    wheel_.insert(id, tick);
  }

  void advance(const Packet &p) {
    const uint64_t now = nanoseconds(p.sec, p.nsec);
    const uint32_t to = tick_of(now);
    if (tick_ == 0) tick_ = to;
    while (tick_ < to) {
      const uint32_t tick = ++tick_;
      totals.accumulator += wheel_.expire(tick, table_, [&](uint32_t id) {
        Record &r = table_.at(id);
        if (r.meta == 0 || r.tick != tick) return;
        const uint64_t due = deadline(r);
        if (due < now) finish(id);
        else schedule(id, due);
      });
    }
  }

  Table table_;
  Wheel wheel_;
  uint32_t tick_ = 0;
  Packet batch_[BATCH_MAX];
};

uint64_t cpu_now() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return uint64_t(t.tv_sec) * 1000000000u + t.tv_nsec;
}

[[noreturn]] void fail(const char *what) {
  fprintf(stderr, "floor: %s\n", what);
  exit(1);
}

template <Stage STAGE, int BATCH> void run(int file, const char *mode, uint32_t max) {
  static uint8_t buffer[CHUNK + 65536 + 16];
  uint8_t header[24];
  if (read(file, header, 24) != 24) fail("no capture");
  const uint32_t magic = little32(header);
  if (magic != 0xa1b2c3d4 && magic != 0xa1b23c4d) fail("not a little-endian pcap file");
  auto &floor = *new Floor<STAGE, BATCH>(max);
  const uint64_t start = cpu_now();
  uint32_t held = 0;
  for (;;) {
    const ssize_t got = read(file, buffer + held, CHUNK);
    if (got < 0) fail("cannot read");
    if (got == 0) break;
    if (STAGE == READ) continue;
    const uint32_t length = held + uint32_t(got);
    const uint32_t taken = floor.chunk(buffer, length, magic == 0xa1b23c4d);
    held = length - taken;
    if (held > 65536 + 16) fail("corrupt record");
    memmove(buffer, buffer + taken, held);
  }
  floor.drain();
  const uint64_t cpu = cpu_now() - start;
  const Totals &t = floor.totals;
  printf("{\"mode\":\"%s\",\"batch\":%d,\"packets\":%lu,\"l4Packets\":%lu,\"bytes\":%lu,\"opened\":%lu,\"delivered\":%lu,"
         "\"connPackets\":%lu,\"connBytes\":%lu,\"connPayload\":%lu,\"refused\":%lu,\"cpuNs\":%lu,\"processNs\":%lu,"
         "\"accumulator\":%lu}\n",
         mode, BATCH, t.packets, t.frames, t.bytes, t.opened, t.delivered, t.conn_packets, t.conn_bytes, t.conn_payload,
         t.refused, cpu, cpu_now(), t.accumulator & 1);
}

template <int BATCH> void run_mode(const char *mode, int file, uint32_t max) {
  if (!strcmp(mode, "read")) return run<READ, BATCH>(file, mode, 1);
  if (!strcmp(mode, "walk")) return run<WALK, BATCH>(file, mode, 1);
  if (!strcmp(mode, "parse")) return run<PARSE, BATCH>(file, mode, 1);
  if (!strcmp(mode, "hash")) return run<HASH, BATCH>(file, mode, 1);
  if (!strcmp(mode, "lookup")) return run<LOOKUP, BATCH>(file, mode, max);
  if (!strcmp(mode, "count")) return run<COUNT, BATCH>(file, mode, max);
  if (!strcmp(mode, "full")) return run<FULL, BATCH>(file, mode, max);
  fail("--mode is read, walk, parse, hash, lookup, count or full");
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 2) fail("usage: floor FILE [--mode MODE] [--batch 64|1] [--max CONNECTIONS]");
  const char *mode = "full";
  int batch = 64;
  uint32_t max = 1 << 20;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--mode")) mode = argv[i + 1];
    else if (!strcmp(argv[i], "--batch")) batch = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--max")) max = uint32_t(strtoul(argv[i + 1], nullptr, 10));
    else fail("unknown option");
  }
  const int file = open(argv[1], O_RDONLY);
  if (file < 0) fail("cannot open the capture");
  if (max == 0 || max > 1u << 28) fail("--max is 1 to 268435456");
  if (batch == 1) run_mode<1>(mode, file, max);
  else if (batch == 64) run_mode<64>(mode, file, max);
  else fail("--batch is 64 or 1");
  return 0;
}
