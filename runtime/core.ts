/** One worker's core: the memory that its generated module, its tracker and its decoder share. */
import { Clock } from './clock.ts';
import type { EngineCore } from './conntrack/engine-core.ts';
import { L4Pdu } from './conntrack/l4-pdu.ts';
import { recColumns } from './conntrack/layout.ts';
import { FiveTuple } from './datatypes/five-tuple.ts';
import { useHugePages } from './huge-pages.ts';
import { column, columnF, pktColumns } from './packet/columns.ts';
import { Burst, type PacketMemory, Pkt } from './packet/layout.ts';
import { type Counters, createCounters } from './stats/counters.ts';
import type { Core, Plan } from './subscription/contract.ts';
import { int32Words } from './words.ts';

export interface CoreOptions {
  /** Number of the worker, 0..cores-1. */
  readonly id: number;
  /** The source's packets, with the slab behind them. */
  readonly memory: PacketMemory;
  readonly plan: Plan;
  /** Most connections at a time, tombstones included. */
  readonly maxConnections: number;
  readonly emit: Core['emit'];
  readonly userError: Core['userError'];
  /** By default functions and classes of the filter file are called on this core themselves. */
  readonly callback?: Core['callback'];
  /** `core.clock`, where it must exist before the core (lines are stamped with it): `Clock.WORDS` words. */
  readonly clock?: Int32Array;
  /** Where to count; own counters by default. */
  readonly counters?: Counters;
}

/**
 * Offset of the first record in its buffer. Large buffers begin 16 bytes behind a page boundary (the allocator's header),
 * so 48 more put records on cache lines. Where that does not hold nothing is lost but the alignment.
 */
const ALIGN = 48;

/**
 * Makes a core. All records are allocated at once; memory that was never touched is not resident, so a large
 * `maxConnections` costs only what is used of it (in steps of 2 MiB, where it is on huge pages).
 */
export function createCore(options: CoreOptions): EngineCore {
  const { id, memory, plan, maxConnections } = options;
  const pkt = new Int32Array((Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE);
  const pktF = new Float64Array(pkt.buffer);
  // One record of slack behind the last: columns reach as far (packet/columns.ts).
  const words = (maxConnections + 2) * plan.recordWords;
  const records = new ArrayBuffer(ALIGN + words * 4);
  useHugePages(records);
  const rec = new Int32Array(records, ALIGN, words);
  const recF = new Float64Array(records, ALIGN, words / 2);
  const rare = new Int32Array(words);
  const stride = plan.recordWords;
  const addr6 = new Int32Array((maxConnections + 1) * 8);
  useHugePages(addr6.buffer);
  return {
    id,
    memory,
    pkt,
    pktF,
    rec,
    recF,
    row: pktColumns(pkt),
    record: recColumns(rec, stride),
    rare,
    column: (word) => column(rec, word, stride),
    columnF: (word) => columnF(rec, word, stride),
    rareColumn: (word) => column(rare, word, stride),
    rareColumnF: (word) => columnF(rare, word, stride),
    clock: options.clock ?? int32Words(Clock.WORDS),
    maxConnections,
    pdu: new L4Pdu({ memory, pkt, pktF, recF }),
    fiveTuple: new FiveTuple({ rec, addr6 }, plan.recordWords),
    addr6,
    emit: options.emit,
    userError: options.userError,
    callback: options.callback ?? ((_, own) => own),
    counters: options.counters ?? createCounters(),
  };
}
