/**
 * IEEE 802.11 from captures of a radio: the header in front of the frame, the frame's own, and aggregates of several packets
 * (A-MSDU), whose packets are read one after the other, and fragments. Every length is checked before a byte is read.
 */
import { Counter } from '../stats/counters.ts';
import type { EtherReader } from './ether.ts';
import { EtherType } from './ether.ts';
import { Meta, type PacketMemory, Pkt } from './layout.ts';
import type { WifiFragmentTable } from './wifi-fragments.ts';

export interface WifiReader {
  /** Reads an 802.11 frame at `at`; no byte at or behind `end` is there. True if IP follows. */
  frame(p: number, at: number, end: number): boolean;
  /** The same, whose first two bytes may be swapped: so do some access points inside CAPWAP. */
  tunnelled(p: number, at: number, end: number): boolean;
  /** Reads radiotap's header and the frame behind it. */
  radiotap(p: number, at: number, end: number): boolean;
  /** Reads the header of AVS or of the Prism driver and the frame behind it. */
  monitor(p: number, at: number, end: number): boolean;
  /** Reads the packet of an aggregate at `at`. */
  subframe(p: number, at: number, end: number): boolean;
  /** Where the packet begins that is behind the one just read, in the same aggregate; 0 when there is none. */
  next(): number;
  /** Where the packet just read ends in its aggregate; 0 when it is in none. */
  packetEnd(): number;
  /** Where the frame just read ends if it was put together and so lies in the slab; else 0. */
  assembledEnd(): number;
  /** A new frame. */
  begin(): void;
  /** What is read from here on is in a tunnel, where fragments are not put together. */
  enterTunnels(): void;
}

/** Bits of a frame's first byte (IEEE 802.11-2020 section 9.2.4.1): type and subtype. */
const enum Control {
  TYPE = 0x0c,
  DATA = 0x08,
  /** Subtypes of data frames: without data; with QoS control. */
  NULL = 0x40,
  QOS = 0x80,
  SUBTYPE = 0xf0,
}
/** Bits of its second byte. */
const enum Flag {
  BOTH_SYSTEMS = 0x03,
  MORE_FRAGMENTS = 0x04,
  PROTECTED = 0x40,
  /** With QoS: four bytes of HT control follow. */
  ORDER = 0x80,
}
/** In the first byte of QoS control: the frame holds an A-MSDU. */
const AGGREGATE = 0x80;
/** Flags of radiotap. */
const enum Radiotap {
  WITH_FCS = 0x10,
  PADDED = 0x20,
  BAD_FCS = 0x40,
}
/** Destination, source and length of a packet in an aggregate, and the least that is behind them: LLC and SNAP. */
const SUBFRAME_HEADER = 14;
const LEAST_SUBFRAME = 8;

/** How a frame lies in memory. */
const enum Form {
  PLAIN = 0,
  /** The radio aligned the body to four bytes. */
  PADDED = 1,
  /** A check sequence is at the end. */
  WITH_FCS = 2,
  /** The first two bytes are swapped. */
  SWAPPED = 4,
}

/** Stands for the traffic identifier of frames without QoS. */
const NO_TID = 16;
/** Bytes of a frame check sequence. */
const FCS = 4;

/** Fragments are put together by `fragments`; without it they are counted. */
export function createWifiReader(
  memory: PacketMemory,
  pkt: Int32Array,
  reader: EtherReader,
  fragments: WifiFragmentTable | undefined,
): WifiReader {
  const { view } = memory;
  const { ether, fail } = reader;
  let next = 0;
  let packetEnd = 0;
  let assembledEnd = 0;
  let inTunnel = false;

  /** A packet of an A-MSDU (section 9.3.2.2), each but the last padded to four bytes. */
  function subframe(p: number, at: number, end: number): boolean {
    next = 0;
    packetEnd = 0;
    assembledEnd = 0;
    if (at + SUBFRAME_HEADER > end) return fail(Counter.TRUNCATED_LINK);
    const length = view.getUint16(at + 12);
    packetEnd = at + SUBFRAME_HEADER + length;
    const behind = at + ((SUBFRAME_HEADER + length + 3) & ~3);
    if (behind + SUBFRAME_HEADER <= end && view.getUint16(behind + 12) >= LEAST_SUBFRAME) next = behind;
    // Padding and a frame check sequence are behind the packet.
    return ether(p, EtherType.BRIDGING, at, Math.min(end, packetEnd));
  }

  /** A fragment (section 10.5): its header at `at`, its body at `body`. */
  function fragment(p: number, at: number, tid: number, body: number, end: number, more: boolean): boolean {
    // Behind one that was cut in the capture there would be a hole; one that the radio received wrong is sent again.
    const cut = pkt[p + Pkt.CAPLEN] < pkt[p + Pkt.WIRELEN] || end <= body;
    const broken = cut || (pkt[p + Pkt.META] & Meta.BAD_FCS) !== 0;
    if (fragments === undefined || inTunnel || broken) return fail(Counter.FRAGMENTS);
    const start = fragments.add(p, at, tid, body, end, more);
    if (start < 0) return fail(Counter.FRAGMENTS);
    assembledEnd = start + fragments.length();
    return ether(p, 0, start, assembledEnd);
  }

  /** A frame at `at`, `form` bits of {@link Form}. */
  function data(p: number, at: number, end: number, form: number): boolean {
    if (at + 24 > end) return fail(Counter.TRUNCATED_LINK);
    const swapped = (form & Form.SWAPPED) !== 0;
    const control = view.getUint8(swapped ? at + 1 : at);
    const flags = view.getUint8(swapped ? at : at + 1);
    if ((control & (Control.TYPE | Control.NULL)) !== Control.DATA) return fail(Counter.NOT_IP);
    if ((flags & Flag.PROTECTED) !== 0) return fail(Counter.ENCRYPTED_LINK);
    const qos = at + ((flags & Flag.BOTH_SYSTEMS) === Flag.BOTH_SYSTEMS ? 30 : 24);
    let body = qos;
    if ((control & Control.QOS) !== 0) body += (flags & Flag.ORDER) !== 0 ? 6 : 2;
    if ((form & Form.PADDED) !== 0) body = at + ((body - at + 3) & ~3);
    if (body > end) return fail(Counter.TRUNCATED_LINK);
    const more = (flags & Flag.MORE_FRAGMENTS) !== 0;
    if (more || (view.getUint8(at + 22) & 0xf) !== 0) {
      const tid = (control & Control.QOS) !== 0 ? view.getUint8(qos) & 0xf : NO_TID;
      return fragment(p, at, tid, body, (form & Form.WITH_FCS) !== 0 ? end - FCS : end, more);
    }
    if ((control & Control.QOS) !== 0 && (view.getUint8(qos) & AGGREGATE) !== 0) return subframe(p, body, end);
    // Length zero makes `ether` expect LLC/SNAP.
    return ether(p, 0, body, end);
  }

  /** Radiotap: little-endian, its own length at byte 2, flags behind an optional 8-byte time. */
  function radiotap(p: number, at: number, end: number): boolean {
    if (at + 8 > end) return fail(Counter.TRUNCATED_LINK);
    const length = view.getUint16(at + 2, true);
    if (length < 8 || at + length > end) return fail(Counter.TRUNCATED_LINK);
    const present = view.getUint32(at + 4, true);
    let fields = at + 8;
    for (let word = present; word >>> 31 !== 0; fields += 4) {
      if (fields + 4 > at + length) return fail(Counter.TRUNCATED_LINK);
      word = view.getUint32(fields, true);
    }
    let flags = 0;
    if ((present & 2) !== 0) {
      if ((present & 1) !== 0) fields = at + (((fields - at + 7) & ~7) + 8);
      if (fields < at + length) flags = view.getUint8(fields);
    }
    if ((flags & Radiotap.BAD_FCS) !== 0) pkt[p + Pkt.META] |= Meta.BAD_FCS;
    const padded = (flags & Radiotap.PADDED) !== 0 ? Form.PADDED : 0;
    const checked = (flags & Radiotap.WITH_FCS) !== 0 ? Form.WITH_FCS : 0;
    return data(p, at + length, end, padded | checked);
  }

  return {
    frame: (p, at, end) => data(p, at, end, Form.PLAIN),
    tunnelled(p, at, end) {
      const inOrder = at < end && (view.getUint8(at) & ~Control.SUBTYPE) === Control.DATA;
      return data(p, at, end, inOrder ? Form.PLAIN : Form.SWAPPED);
    },
    radiotap,
    monitor(p, at, end) {
      if (at + 8 > end) return fail(Counter.TRUNCATED_LINK);
      // AVS is big-endian, with a magic number; the Prism driver's header has the order of the machine.
      const avs = view.getUint32(at) >>> 12 === 0x80211;
      const littleEndian = !avs && view.getUint16(at + 4) !== 0;
      const length = view.getUint32(at + 4, littleEndian);
      if (length < 8 || length > end - at) return fail(Counter.TRUNCATED_LINK);
      return data(p, at + length, end, Form.PLAIN);
    },
    subframe,
    next: () => next,
    packetEnd: () => packetEnd,
    assembledEnd: () => assembledEnd,
    begin() {
      next = 0;
      packetEnd = 0;
      assembledEnd = 0;
      inTunnel = false;
    },
    enterTunnels() {
      inTunnel = true;
    },
  };
}
