/**
 * The stages of this project's packet path that a benchmark can run on a capture, each including those before it; the
 * last three are whole programs, compiled from test/bench/filters by the project's own compiler.
 */

import { Action } from '../../runtime/conntrack/layout.ts';
import { createCore } from '../../runtime/core.ts';
import type { ConnRecord } from '../../runtime/datatypes/conn-record.ts';
import { rxLoop } from '../../runtime/lcore/rx-loop.ts';
import { createDecoder } from '../../runtime/packet/decode.ts';
import { ABI_VERSION, Burst, Pkt } from '../../runtime/packet/layout.ts';
import { parsersFor } from '../../runtime/protocols/registry.ts';
import { openCapture } from '../../runtime/source/capture.ts';
import { END_OF_INPUT, type PacketSource } from '../../runtime/source/contract.ts';
import type { Core, Plan, Subscription, SubscriptionModule } from '../../runtime/subscription/contract.ts';
import type { Tally } from './filters/tally.ts';
import { moduleOf } from './filters.ts';
import type { Sample } from './floor.ts';
import { receiveAndDecode, receiveAndTrack, receiveOnly } from './ports.ts';

export type Counts = Omit<Sample, 'cpuNs' | 'threadNs' | 'processNs'>;

/** Gets everything ready and returns the work to be measured. `onPoll` is called before every poll of the source. */
export type Prepare = (capture: string, max: number, onPoll?: () => void) => Promise<() => Counts | Promise<Counts>>;

export const STAGES = {
  /** Records of the file walked, nothing read of the packets. */
  read: async (capture, _max, onPoll) => {
    const { source, pkt } = open(capture, onPoll);
    return () => {
      while (source.poll(pkt, Burst.MAX) !== END_OF_INPUT);
      return seen(source);
    };
  },
  /** L2 to L4 read, the five-tuple hashed. */
  decode: async (capture, _max, onPoll) => {
    const { source, pkt } = open(capture, onPoll);
    const decode = createDecoder(source.memory, pkt, { seed: 1 });
    return () => {
      for (;;) {
        const n = source.poll(pkt, Burst.MAX);
        if (n === END_OF_INPUT) return seen(source);
        decode(n);
      }
    };
  },
  /** Connections opened, timed and ended for a plan that keeps nothing of them. */
  track: async (capture, max, onPoll) =>
    engine(capture, max, onPoll, EMPTY.plan, () => ({ sub: EMPTY, counts: () => NOTHING })),
  /** `counts.iris`: what the floor does, and no more. */
  counts: async (capture, max, onPoll) => {
    const { create, plan } = await program<{ flows(tally: Tally): void }>('counts');
    return engine(capture, max, onPoll, plan, (core) => {
      const sums = new Float64Array(3);
      const flows = ({ packets, bytes }: Tally) => {
        sums[0] = (sums[0] ?? 0) + 1;
        sums[1] = (sums[1] ?? 0) + (packets[0] ?? 0) + (packets[1] ?? 0);
        sums[2] = (sums[2] ?? 0) + (bytes[0] ?? 0) + (bytes[1] ?? 0);
      };
      const counts = () => ({ delivered: sums[0] ?? 0, connPackets: sums[1] ?? 0, connBytes: sums[2] ?? 0 });
      return { sub: create(core, { flows }), counts };
    });
  },
  /** `records.iris`: a record of every connection, read by a handler when it ends. */
  records: async (capture, max, onPoll) => {
    const { create, plan } = await program<{ flows(conn: ConnRecord): void }>('records');
    return engine(capture, max, onPoll, plan, (core) => {
      const sums = new Float64Array(3);
      const flows = (conn: ConnRecord) => {
        const { packets, bytes } = conn;
        sums[0] = (sums[0] ?? 0) + 1;
        sums[1] = (sums[1] ?? 0) + (packets[0] ?? 0) + (packets[1] ?? 0);
        sums[2] = (sums[2] ?? 0) + (bytes[0] ?? 0) + (bytes[1] ?? 0);
      };
      const counts = () => ({ delivered: sums[0] ?? 0, connPackets: sums[1] ?? 0, connBytes: sums[2] ?? 0 });
      return { sub: create(core, { flows }), counts };
    });
  },
  /** `sni.iris`: TLS handshakes whose server name matches a pattern. */
  sni: async (capture, max, onPoll) => {
    const { create, plan } = await program<{ named(): void }>('sni');
    return engine(capture, max, onPoll, plan, (core) => {
      let delivered = 0;
      const named = () => {
        delivered++;
      };
      return { sub: create(core, { named }), counts: () => ({ ...NOTHING, delivered }) };
    });
  },
} as const satisfies Record<string, Prepare>;

/** Stages behind a virtual DPDK device; their captures are played from memory. */
export const PORT_STAGES = {
  'rx burst': async () => receiveOnly(EMPTY.plan),
  'rx burst, decode': async (capture) => receiveAndDecode(capture, EMPTY.plan),
  'rx burst, track': async (capture) => receiveAndTrack(capture, EMPTY.plan, () => EMPTY),
  'rx burst, records': async (capture) => {
    const { create, plan } = await program<{ flows(conn: ConnRecord): void }>('records');
    return receiveAndTrack(capture, plan, (core) => create(core, { flows() {} }));
  },
} as const satisfies Record<string, Prepare>;

export type Stage = keyof typeof STAGES;

const NOTHING = { delivered: 0, connPackets: 0, connBytes: 0 };

/** Tracks every connection and asks for nothing but its end. */
const EMPTY: Subscription = {
  plan: {
    abi: ABI_VERSION,
    compiler: '',
    hash: '',
    source: '',
    recordWords: 16,
    parsers: [],
    subscriptions: [],
    flowRules: [],
  },
  tracked: { open() {}, clear() {} },
  packetFilter: () => true,
  onL4FirstPacket: () => Action.TRACK,
  onL4Terminated() {},
};

async function program<Handlers>(name: string): Promise<SubscriptionModule<Handlers>> {
  return (await import(moduleOf(name))) as SubscriptionModule<Handlers>;
}

/** A core on the capture, ready to run to its end. `start` gives what runs on it, and how to read its sums. */
function engine(
  capture: string,
  max: number,
  onPoll: (() => void) | undefined,
  plan: Plan,
  start: (core: Core) => { sub: Subscription; counts: () => Omit<Counts, 'packets' | 'bytes'> },
): () => Promise<Counts> {
  const source = watched(openCapture(capture), onPoll);
  const userError = (name: string, _c: number, cause: unknown) => {
    throw new Error(name, { cause });
  };
  const core = createCore({ id: 0, memory: source.memory, plan, maxConnections: max, emit() {}, userError });
  const { sub, counts } = start(core);
  const config = { max_connections: max };
  return async () => {
    await rxLoop({ core, source, sub, parsers: parsersFor(plan.parsers), config, seed: 1 });
    return { ...seen(source), ...counts() };
  };
}

function open(capture: string, onPoll: (() => void) | undefined) {
  const rows = (Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE;
  const buffer = new ArrayBuffer(rows * 4);
  return { source: watched(openCapture(capture), onPoll), pkt: new Int32Array(buffer), pktF: new Float64Array(buffer) };
}

function watched(source: PacketSource, onPoll: (() => void) | undefined): PacketSource {
  if (onPoll === undefined) return source;
  return {
    ...source,
    get stats() {
      return source.stats;
    },
    poll(pkt, most) {
      onPoll();
      return source.poll(pkt, most);
    },
  };
}

function seen(source: PacketSource): Counts {
  const { packets, bytes } = source.stats;
  source.close();
  return { packets, bytes, delivered: 0, connPackets: 0, connBytes: 0 };
}
