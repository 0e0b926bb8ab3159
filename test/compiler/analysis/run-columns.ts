/** Runs compiled columns: turns what the compiler gives into functions over one record. */
import { transformSync } from 'esbuild';
import type { CompiledColumns } from '../../../compiler/analysis/columns.ts';
import { L4Pdu } from '../../../runtime/conntrack/l4-pdu.ts';
import { ConnMeta, EndReason, Rec, recColumns } from '../../../runtime/conntrack/layout.ts';
import { column, columnF, pktColumns } from '../../../runtime/packet/columns.ts';
import { Pkt } from '../../../runtime/packet/layout.ts';
import type { Column } from '../../../runtime/subscription/column.ts';

/** First word of the record and of the packet row that tests use; neither is zero, so that forgotten bases show. */
export const C = 128;
export const P = Pkt.STRIDE;

export interface Memory {
  readonly rec: Int32Array;
  readonly recF: Float64Array;
  /** Beside the record. */
  readonly rare: Int32Array;
  readonly pkt: Int32Array;
  readonly pktF: Float64Array;
  readonly pdu: L4Pdu;
}

export function makeMemory(): Memory {
  const rec = new Int32Array(512).fill(0x55555555);
  // What the tracker sets: an IPv4 connection over TCP that ended by FIN.
  rec.fill(0, C, C + Rec.PLAN);
  rec[C + Rec.META] = 6 | (EndReason.FIN << ConnMeta.END_SHIFT);
  const pkt = new Int32Array(4 * Pkt.STRIDE);
  const bytes = new Uint8Array(64);
  const memory = { bytes, view: new DataView(bytes.buffer), slabOffset: 64, slabLength: 0 };
  const recF = new Float64Array(rec.buffer);
  const pktF = new Float64Array(pkt.buffer);
  return { rec, recF, rare: new Int32Array(512), pkt, pktF, pdu: new L4Pdu({ memory, pkt, pktF, recF }) };
}

export interface Packet {
  readonly dir: number;
  readonly seconds: number;
  readonly payload: number;
  readonly header: number;
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly proto: number;
  readonly gap: number;
}

/** Puts a packet into row `P`, as decoder and tracker do; `Rec.LAST` still tells the time of the one before. */
export function fillRow({ pkt, pktF, recF }: Memory, packet: Packet, first: boolean): void {
  pkt[P + Pkt.DIR] = packet.dir;
  pkt[P + Pkt.CONN] = C;
  pkt[P + Pkt.PAYLEN] = packet.payload;
  pkt[P + Pkt.CAPPAY] = packet.payload >> 1;
  pkt[P + Pkt.IPLEN] = packet.payload + packet.header;
  pkt[P + Pkt.WIRELEN] = packet.payload + packet.header + 14;
  pkt[P + Pkt.META] = packet.proto | 0x400 | (packet.header === 40 ? 0x1000 : 0) | (packet.flags << 16);
  pkt[P + Pkt.SEQ] = packet.seq;
  pkt[P + Pkt.ACK] = packet.ack;
  pkt[P + Pkt.GAP] = packet.gap;
  if (first) recF[(C + Rec.LAST) >> 1] = packet.seconds;
  pktF[(P + Pkt.TS) >> 1] = packet.seconds;
}

/** The time of the row's packet becomes that of the latest, as after `update`. */
export function passRow({ pktF, recF }: Memory): void {
  recF[(C + Rec.LAST) >> 1] = pktF[(P + Pkt.TS) >> 1];
}

export interface Running {
  open(): void;
  /** Calls the update of the method. */
  call(method: string): void;
}

/** Instantiates the generated code over `memory`. */
export function instantiate(compiled: CompiledColumns, memory: Memory): Running {
  const lines = [
    `const { ${compiled.reads.join(', ')} } = given`,
    `const { ${compiled.columns.map(({ local }) => local).join(', ')} } = own`,
    'const touchRare = touch',
    ...compiled.functions.flatMap((one) => one.lines),
    'function open(c: number): void {',
    ...compiled.open,
    '}',
    `return { open, ${compiled.updates.map((update) => update.call).join(', ')} }`,
  ];
  const { code } = transformSync(`function make(given, own, recF, touch) {\n${lines.join('\n')}\n}`, { loader: 'ts' });
  // As long as the record, which begins at `C`.
  const given = { ...pktColumns(memory.pkt), ...recColumns(memory.rec, C) };
  const own = Object.fromEntries(
    compiled.columns.map(({ local, type, word, rare }) => [
      local,
      (type === 'f64' ? columnF : column)(rare === true ? memory.rare : memory.rec, word, C),
    ]),
  );
  const touch = (c: number): number => {
    memory.rec[c + Rec.META] |= ConnMeta.RARE;
    return c;
  };
  const make = new Function(`${code}; return make`)();
  const made: Record<string, (c: number, p?: number) => void> = make(given, own, memory.recF, touch);
  return {
    open() {
      // What is beside the record of a connection that ends is cleared.
      memory.rare.fill(0);
      memory.rec[C + Rec.META] &= ~ConnMeta.RARE;
      made.open(C);
    },
    call(method) {
      const update = compiled.updates.find((one) => one.method === method);
      if (update === undefined) throw new Error(`no method ${method}`);
      if (update.usesPacket) made[update.call](C, P);
      else made[update.call](C);
    },
  };
}

/** The columns as a generated module hands them to `columnView`. */
export function viewColumns(compiled: CompiledColumns): Column[] {
  return compiled.columns.map(({ name, type, word, length, array, rare = false }) => ({
    name,
    type,
    word,
    rare,
    ...(array ? { length } : {}),
  }));
}
