/**
 * A connection told to a generated module packet by packet, the way the tracker would: nothing is called that the actions
 * in force do not ask for.
 */

import { Action, ConnMeta, EndReason, Rec, recColumns } from '../../../runtime/conntrack/layout.ts';
import { column, columnF, pktColumns } from '../../../runtime/packet/columns.ts';
import { Meta, Pkt } from '../../../runtime/packet/layout.ts';
import type { Session } from '../../../runtime/protocols/contract.ts';
import type { Core, Plan, Subscription } from '../../../runtime/subscription/contract.ts';

/** Who talks: addresses as 32-bit words (one or four), ports. */
export interface Ends {
  readonly proto: 6 | 17;
  readonly v6: boolean;
  readonly orig: readonly number[];
  readonly resp: readonly number[];
  readonly origPort: number;
  readonly respPort: number;
}

export interface StubPacket {
  /** 0: sent by the originator. */
  readonly dir: 0 | 1;
  readonly flags: number;
  readonly ttl: number;
}

/** What becomes known behind a packet. */
export interface StubConnection {
  readonly ends: Ends;
  readonly packets: readonly StubPacket[];
  /** Number of the packet that completes the handshake, if any. */
  readonly handshakeAt: number | undefined;
  /** Number of the packet at which the application protocol is known, if it ever is. */
  readonly discoveredAt: number | undefined;
  /** Catalog number of the protocol, 0 for none. */
  readonly protocol: number;
  /** Sessions and the packets (from `discoveredAt` on) behind which they are parsed. */
  readonly sessions: readonly { readonly at: number; readonly session: Session }[];
  /** Whether a connection that ends undiscovered is told "none" before its end. */
  readonly tellsNone: boolean;
}

export interface Delivered {
  readonly name: string;
  /** Number of the packet at or behind which it came; the number of packets for the end. */
  readonly at: number;
}

const L3 = 14;

/** A core with one packet row and room for a few connections; deliveries go to `out`. */
export function stubCore(recordWords: number, deliver: (name: string) => void): Core {
  const bytes = new Uint8Array(256);
  const pkt = new Int32Array(Pkt.STRIDE);
  const rec = new Int32Array(recordWords * 5);
  const rare = new Int32Array(rec.length);
  return {
    id: 0,
    memory: { bytes, view: new DataView(bytes.buffer), slabOffset: 256, slabLength: 0 },
    pkt,
    pktF: new Float64Array(pkt.buffer),
    rec,
    recF: new Float64Array(rec.buffer),
    row: pktColumns(pkt),
    record: recColumns(rec, recordWords),
    rare,
    column: (word) => column(rec, word, recordWords),
    columnF: (word) => columnF(rec, word, recordWords),
    rareColumn: (word) => column(rare, word, recordWords),
    rareColumnF: (word) => columnF(rare, word, recordWords),
    clock: new Int32Array(2),
    maxConnections: 3,
    // Subscriptions of the tests take no packets and no five-tuples.
    pdu: undefined as unknown as Core['pdu'],
    fiveTuple: undefined as unknown as Core['fiveTuple'],
    addr6: new Int32Array(8 * 4),
    emit: deliver,
    callback: (_, own) => own,
    userError(_name, _c, error) {
      throw error;
    },
  };
}

/** Fills row 0 with a packet of the connection. */
export function fillRow(core: Core, ends: Ends, packet: StubPacket): void {
  const { pkt, memory } = core;
  const { view } = memory;
  const [src, dst] = packet.dir === 0 ? [ends.orig, ends.resp] : [ends.resp, ends.orig];
  const [srcPort, dstPort] = packet.dir === 0 ? [ends.origPort, ends.respPort] : [ends.respPort, ends.origPort];
  const l4 = L3 + (ends.v6 ? 40 : 20);
  pkt.fill(0);
  pkt[Pkt.LINK] = 1;
  pkt[Pkt.ETHERTYPE] = 12;
  pkt[Pkt.L3] = L3;
  pkt[Pkt.L4] = l4;
  pkt[Pkt.SRC] = src[0] ?? 0;
  pkt[Pkt.DST] = dst[0] ?? 0;
  pkt[Pkt.PORTS] = (srcPort << 16) | dstPort;
  pkt[Pkt.META] = ends.proto | Meta.IP | Meta.L4 | (ends.v6 ? Meta.IPV6 : 0) | (packet.flags << Meta.TCP_FLAGS_SHIFT);
  pkt[Pkt.DIR] = packet.dir;
  view.setUint16(12, ends.v6 ? 0x86dd : 0x0800);
  view.setUint8(L3 + (ends.v6 ? 7 : 8), packet.ttl);
  const at = ends.v6 ? [L3 + 8, L3 + 24] : [L3 + 12, L3 + 16];
  src.forEach((word, i) => void view.setInt32((at[0] ?? 0) + 4 * i, word));
  dst.forEach((word, i) => void view.setInt32((at[1] ?? 0) + 4 * i, word));
  view.setUint16(l4, srcPort);
  view.setUint16(l4 + 2, dstPort);
  view.setUint8(l4 + 13, packet.flags & 0xff);
}

/** Runs one connection; returns whether the packet filter let every packet in, and the numbers of packets it saw. */
export function runConnection(
  core: Core,
  subscription: Subscription,
  plan: Plan,
  connection: StubConnection,
  setTime: (at: number) => void,
): { readonly filtered: boolean } {
  const { ends, packets } = connection;
  const c = plan.recordWords;
  const { rec } = core;
  rec.fill(0);
  core.addr6.fill(0);
  rec[c + Rec.SRC] = ends.orig[0] ?? 0;
  rec[c + Rec.DST] = ends.resp[0] ?? 0;
  rec[c + Rec.PORTS] = (ends.origPort << 16) | ends.respPort;
  rec[c + Rec.META] = ends.proto | (ends.v6 ? ConnMeta.IPV6 : 0) | ConnMeta.USED;
  if (ends.v6) core.addr6.set([...ends.orig, ...ends.resp], 8);

  let actions = 0;
  let filtered = true;
  let known = false;
  const set = (next: number): void => {
    actions = next;
    rec[c + Rec.ACTIONS] = next;
  };
  const discover = (protocol: number): void => {
    known = true;
    rec[c + Rec.META] |= ConnMeta.L7_KNOWN | (protocol << ConnMeta.L7_PROTO_SHIFT);
    if (subscription.onL7OnDisc !== undefined) set(subscription.onL7OnDisc(c, protocol));
  };

  for (const [i, packet] of packets.entries()) {
    setTime(i);
    fillRow(core, ends, packet);
    if (!subscription.packetFilter(0)) {
      filtered = false;
      break;
    }
    if (i === 0) {
      subscription.tracked.open(c, 0);
      set(subscription.onL4FirstPacket(c, 0));
    }
    if (actions === 0) break;
    if ((actions & Action.UPDATE) !== 0) set(subscription.update?.(c, 0) ?? 0);
    if (connection.handshakeAt === i && (actions & Action.HANDSHAKE) !== 0) set(subscription.onL4EndHshk?.(c, 0) ?? 0);
    if ((actions & Action.STREAM) !== 0) set(subscription.onL4Stream?.(c, 0) ?? 0);
    if (connection.discoveredAt === i && (actions & Action.PARSE) !== 0) {
      const probed = plan.parsers.length > 0 && connection.protocol !== 0;
      discover(probed ? connection.protocol : 0);
    }
    for (const { at, session } of connection.sessions) {
      if (at === i && known && (actions & Action.PARSE) !== 0) set(subscription.onL7EndHdrs?.(c, session) ?? 0);
    }
    if (actions === 0) break;
  }
  setTime(packets.length);
  if (actions !== 0 && connection.tellsNone && !known && (actions & Action.PARSE) !== 0) discover(0);
  if ((actions & Action.TRACK) !== 0) subscription.onL4Terminated?.(c, EndReason.FIN);
  if (filtered) subscription.tracked.clear(c);
  return { filtered };
}
