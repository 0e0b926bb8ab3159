/**
 * The header in which a proxy tells whose connection it forwards, as a preamble: version 1 is a line of text, version 2 is
 * binary (HAProxy's PROXY protocol, sections 2.1 and 2.2). What follows is probed as if the connection began there.
 */
import { u16 } from '../bytes.ts';
import { Parse, type ParserFactory, Probe, ProtocolNumber, type SessionParser } from '../contract.ts';

/** Longest line of version 1, its end included. */
const LINE_MAX = 107;
const LINE_START = 'PROXY ';
const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';
/** Bytes of version 2 up to and including the length of the rest. */
const HEADER = 16;

/** How many of the first bytes are those of `text`: all of it, all that are there, or -1. */
function matching(bytes: Uint8Array, offset: number, length: number, text: string): number {
  const count = Math.min(length, text.length);
  for (let i = 0; i < count; i++) if (bytes[offset + i] !== text.charCodeAt(i)) return -1;
  return count;
}

class ProxyHeaderParser implements SessionParser {
  private readonly start = new Uint8Array(HEADER);
  private filled = 0;
  /** Bytes that came, and where the header ends, once that is known. */
  private seen = 0;
  private size = 0;
  private unread = 0;

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    for (const text of [LINE_START, SIGNATURE]) {
      const count = matching(bytes, offset, length, text);
      if (count === text.length) return Probe.YES;
      if (count === length) return Probe.MAYBE;
    }
    return Probe.NO;
  }

  parse(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const byte = bytes[at++];
      if (this.filled < HEADER) this.start[this.filled++] = byte;
      this.seen++;
      if (this.start[0] === LINE_START.charCodeAt(0)) {
        if (byte === 10) this.size = this.seen;
        else if (this.seen === LINE_MAX) return Parse.STOP;
      } else if (this.seen === HEADER) this.size = HEADER + u16(this.start, 14);
      if (this.seen === this.size) {
        this.unread = end - at;
        return Parse.SWITCH;
      }
    }
    return Parse.MORE;
  }

  rest(): number {
    return this.unread;
  }
  gap(): Parse {
    return Parse.STOP;
  }
  end(): void {}
  take(): null {
    return null;
  }
  reset(): void {
    this.filled = 0;
    this.seen = 0;
    this.size = 0;
    this.unread = 0;
  }
}

export const PROXY_PREAMBLE: ParserFactory = {
  name: 'proxy',
  proto: ProtocolNumber.NONE,
  over: ['tcp'],
  create: () => new ProxyHeaderParser(),
};
