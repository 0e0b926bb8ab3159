/**
 * The entries that wait for their turn, in columns: as objects so many would live long enough for the garbage collector to
 * move them about.
 */
import type { LineBuffer } from '../subscription/line-buffer.ts';
import { compareEntries, type Entry } from './entry.ts';
import { createLineStore, type LineBlock } from './line-store.ts';

export interface EntryTable {
  /** Where the next line is written, with its newline. */
  readonly out: LineBuffer;
  /** A new entry with the line that was written as its first; returns its number. */
  add(time: number, key: number, group: number): number;
  /** Whether a line with that place and group belongs to entry `n`. */
  joins(n: number, time: number, key: number, group: number): boolean;
  /** Adds the line that was written to entry `n`. */
  append(n: number): void;
  /** Entry `n`, until the next call. */
  at(n: number): Entry;
  /** Order of entries `a` and `b`, see {@link compareEntries}. */
  compare(a: number, b: number): number;
  /** Entry `n` was handed on. */
  letGo(n: number): void;
}

const FIRST_CAPACITY = 1024;

export function createEntryTable(): EntryTable {
  const store = createLineStore();
  let times = new Float64Array(FIRST_CAPACITY);
  let keys = new Float64Array(FIRST_CAPACITY);
  let groups = new Int32Array(FIRST_CAPACITY);
  let froms = new Int32Array(FIRST_CAPACITY);
  let tos = new Int32Array(FIRST_CAPACITY);
  const blocks: LineBlock[] = [];
  const free: number[] = [];
  let used = 0;

  /** One entry as an object: two are needed to compare. */
  class View implements Entry {
    n = 0;
    get time(): number {
      return times[this.n];
    }
    get key(): number {
      return keys[this.n];
    }
    get timers(): boolean {
      return groups[this.n] !== 0;
    }
    get block(): LineBlock {
      return blocks[this.n];
    }
    set block(block: LineBlock) {
      blocks[this.n] = block;
    }
    get from(): number {
      return froms[this.n];
    }
    set from(from: number) {
      froms[this.n] = from;
    }
    get to(): number {
      return tos[this.n];
    }
    set to(to: number) {
      tos[this.n] = to;
    }
  }
  const view = new View();
  const other = new View();

  function grow(): void {
    const capacity = times.length * 2;
    const longer = <A extends Float64Array | Int32Array>(from: A, to: A): A => {
      to.set(from);
      return to;
    };
    times = longer(times, new Float64Array(capacity));
    keys = longer(keys, new Float64Array(capacity));
    groups = longer(groups, new Int32Array(capacity));
    froms = longer(froms, new Int32Array(capacity));
    tos = longer(tos, new Int32Array(capacity));
  }

  function at(n: number): View {
    view.n = n;
    return view;
  }

  return {
    out: store.out,
    add(time, key, group) {
      const n = free.pop() ?? used++;
      if (n === times.length) grow();
      times[n] = time;
      keys[n] = key;
      groups[n] = group;
      store.put(at(n));
      return n;
    },
    joins: (n, time, key, group) => times[n] === time && keys[n] === key && groups[n] === group,
    append(n) {
      store.append(at(n));
    },
    at,
    compare(a, b) {
      if (times[a] !== times[b]) return times[a] < times[b] ? -1 : 1;
      view.n = a;
      other.n = b;
      return compareEntries(view, other);
    },
    letGo(n) {
      store.letGo(at(n));
      free.push(n);
    },
  };
}
