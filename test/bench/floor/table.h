// What the floor keeps: packets of a batch, connection records with their index, and the timer wheel.

#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

// Bits of Record::meta beside protocol and version.
constexpr uint32_t PROTO = 0xff, IPV6 = 0x100, KEY = PROTO | IPV6;
constexpr uint32_t SECOND = 0x400, FIN_0 = 0x1000, FINACK_0 = 0x4000, FINACKS = FINACK_0 | FINACK_0 << 1;

// One packet of the batch after parsing; `wire` is the frame's length, `length` that of the IP packet.
struct Packet {
  uint32_t src, dst, ports, meta;
  uint32_t hash, wire, payload, sec;
  uint32_t nsec, flags, length;
  const uint8_t *l3;
};

// One connection: one cache line.
struct alignas(64) Record {
  uint32_t src, dst, ports, meta;
  uint32_t hash, tick, last_sec, last_nsec;
  uint32_t packets[2], payload[2];
  uint64_t bytes[2];
};
static_assert(sizeof(Record) == 64, "one line");

struct Entry {
  uint32_t hash, id; // id 0: free
};

// As many cache lines as a core can have under way: begin(i) asks for the line of each of 0..n-1 that far ahead of load(i).
// Some processors drop a prefetch that finds no room, and then it is the load that fetches the line.
constexpr uint32_t UNDER_WAY = 24;
template <class Begin, class Load> void look_ahead(uint32_t n, Begin begin, Load load) {
  const uint32_t ahead = n < UNDER_WAY ? n : UNDER_WAY;
  for (uint32_t i = 0; i < ahead; i++) begin(i);
  for (uint32_t i = ahead; i < n; i++) {
    begin(i);
    load(i - ahead);
  }
  for (uint32_t i = n - ahead; i < n; i++) load(i);
}

// Records, their index (open addressing, linear probing, back-shift deletion) and the IPv6 keys.
class Table {
public:
  Table(uint32_t max) : max_(max) {
    uint32_t size = 16;
    while (size < max * 2u) size <<= 1;
    mask_ = size - 1;
    index_ = static_cast<Entry *>(calloc(size, sizeof(Entry)));
    records_ = static_cast<Record *>(aligned_zero(sizeof(Record) * (size_t(max) + 1)));
    keys_ = static_cast<uint8_t *>(calloc(size_t(max) + 1, 32));
    free_.reserve(max);
  }

  Record &at(uint32_t id) { return records_[id]; }
  // Index and records of n hashes, and records of n numbers, are loaded; the value is of no use, but has to be used.
  template <class Hash> uint32_t load_ahead(uint32_t n, Hash hash) const {
    uint32_t read = 0;
    look_ahead(
        n, [&](uint32_t i) { __builtin_prefetch(&index_[hash(i) & mask_]); },
        [&](uint32_t i) { read ^= index_[hash(i) & mask_].id; });
    look_ahead(
        n, [&](uint32_t i) { __builtin_prefetch(&records_[index_[hash(i) & mask_].id]); },
        [&](uint32_t i) { read ^= records_[index_[hash(i) & mask_].id].meta; });
    return read;
  }
  uint32_t load_records(uint32_t n, const uint32_t *ids) const {
    uint32_t read = 0;
    look_ahead(
        n, [&](uint32_t i) { __builtin_prefetch(&records_[ids[i]]); }, [&](uint32_t i) { read ^= records_[ids[i]].meta; });
    return read;
  }

  // The connection of p and the direction p goes in, or 0.
  uint32_t find(const Packet &p, uint32_t &dir) {
    const uint32_t mirrored = p.ports << 16 | p.ports >> 16;
    for (uint32_t i = p.hash & mask_;; i = (i + 1) & mask_) {
      const Entry e = index_[i];
      if (e.id == 0) return 0;
      if (e.hash != p.hash) continue;
      const Record &r = records_[e.id];
      const uint32_t kind = (r.meta ^ p.meta) & KEY;
      const uint32_t forward = (r.src ^ p.src) | (r.dst ^ p.dst) | (r.ports ^ p.ports) | kind;
      const uint32_t reverse = (r.src ^ p.dst) | (r.dst ^ p.src) | (r.ports ^ mirrored) | kind;
      if (forward != 0 && reverse != 0) continue;
      dir = forward != 0;
      if ((p.meta & IPV6) != 0 && !same_v6(e.id, p, dir)) continue;
      return e.id;
    }
  }

  uint32_t insert(const Packet &p) {
    uint32_t id;
    if (!free_.empty()) {
      id = free_.back();
      free_.pop_back();
    } else if (used_ < max_) {
      id = ++used_;
    } else {
      return 0;
    }
    uint32_t i = p.hash & mask_;
    while (index_[i].id != 0) i = (i + 1) & mask_;
    index_[i] = {p.hash, id};
    if (p.meta & IPV6) memcpy(keys_ + size_t(id) * 32, p.l3 + 8, 32);
    records_[id] = Record{p.src, p.dst, p.ports, p.meta & KEY, p.hash, 0, p.sec, p.nsec, {0, 0}, {0, 0}, {0, 0}};
    return id;
  }

  void remove(uint32_t id) {
    uint32_t i = records_[id].hash & mask_;
    while (index_[i].id != id) i = (i + 1) & mask_;
    for (uint32_t j = i;;) {
      j = (j + 1) & mask_;
      if (index_[j].id == 0) break;
      const uint32_t home = index_[j].hash & mask_;
      if (((j - home) & mask_) < ((j - i) & mask_)) continue;
      index_[i] = index_[j];
      i = j;
    }
    index_[i].id = 0;
    records_[id].meta = 0;
    free_.push_back(id);
  }

  uint32_t used() const { return used_; }

private:
  static void *aligned_zero(size_t bytes) {
    void *p = calloc(1, bytes + 64);
    return reinterpret_cast<void *>((reinterpret_cast<uintptr_t>(p) + 63) & ~uintptr_t(63));
  }
  bool same_v6(uint32_t id, const Packet &p, uint32_t dir) const {
    const uint8_t *key = keys_ + size_t(id) * 32, *addresses = p.l3 + 8;
    if (dir == 0) return memcmp(key, addresses, 32) == 0;
    return memcmp(key, addresses + 16, 16) == 0 && memcmp(key + 16, addresses, 16) == 0;
  }

  uint32_t max_, mask_, used_ = 0;
  Entry *index_;
  Record *records_;
  uint8_t *keys_;
  std::vector<uint32_t> free_;
};

// Ring of ticks, each a chain of blocks of connection numbers; an entry counts only if its record carries the tick.
class Wheel {
public:
  static constexpr uint32_t SLOTS = 4096, PER_BLOCK = 62;

  Wheel() : heads_(SLOTS, 0), blocks_(1) {}

  void insert(uint32_t id, uint32_t tick) {
    uint32_t &head = heads_[tick & (SLOTS - 1)];
    if (head == 0 || blocks_[head].count == PER_BLOCK) {
      uint32_t b = free_;
      if (b != 0) {
        free_ = blocks_[b].next;
      } else {
        b = uint32_t(blocks_.size());
        blocks_.emplace_back();
      }
      blocks_[b].next = head;
      blocks_[b].count = 0;
      head = b;
    }
    Block &block = blocks_[head];
    block.ids[block.count++] = id;
  }

  // Takes all entries of one tick out, block by block; fire(id). The value is that of Table::load_records.
  template <class Fire> uint32_t expire(uint32_t tick, Table &table, Fire fire) {
    uint32_t read = 0;
    uint32_t b = heads_[tick & (SLOTS - 1)];
    heads_[tick & (SLOTS - 1)] = 0;
    while (b != 0) {
      const Block block = blocks_[b];
      blocks_[b].next = free_;
      free_ = b;
      read ^= table.load_records(block.count, block.ids);
      for (uint32_t i = 0; i < block.count; i++) fire(block.ids[i]);
      b = block.next;
    }
    return read;
  }

private:
  struct alignas(64) Block {
    uint32_t next, count, ids[PER_BLOCK];
  };
  std::vector<uint32_t> heads_;
  std::vector<Block> blocks_;
  uint32_t free_ = 0;
};
