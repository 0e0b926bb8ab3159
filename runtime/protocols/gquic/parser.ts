/**
 * Parses the start of Google QUIC connections, up to Q046, into one `GquicStream` each: delivered when the client's CHLO is
 * whole, or has not come within some packets. Each piece is one datagram.
 */
import { keep } from '../bytes.ts';
import { Parse, type ParserFactory, Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { createStretches } from '../stretches.ts';
import { readChlo, tagAt } from './chlo.ts';
import { type ClientPacket, clientPacket, cryptoPiece } from './packet.ts';
import { GquicStream } from './stream.ts';

/** Most packets of the client that are looked at. */
const PACKETS_MAX = 16;

class GquicParser implements SessionParser {
  private readonly hello = createStretches();
  /** Where the CHLO begins in the crypto stream; -1 before it has come. */
  private helloAt = -1;
  private version: string | undefined = undefined;
  private cid: Uint8Array | undefined = undefined;
  private clientIsOrig = true;
  private packets = 0;
  private done = false;
  private session: GquicStream | null = null;

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    return clientPacket(bytes, offset, offset + length) === undefined ? Probe.NO : Probe.YES;
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    const end = offset + length;
    const packet = this.done ? undefined : clientPacket(bytes, offset, end);
    if (packet !== undefined && (this.version === undefined || fromOrig === this.clientIsOrig)) {
      this.clientIsOrig = fromOrig;
      this.onPacket(packet, bytes, end);
    }
    return this.done ? Parse.STOP : Parse.MORE;
  }

  private onPacket(packet: ClientPacket, bytes: Uint8Array, end: number): void {
    this.version ??= packet.version;
    this.cid ??= keep(bytes, packet.cidAt, 8);
    const piece = cryptoPiece(bytes, packet, end);
    if (piece !== undefined) {
      const data = bytes.subarray(piece.start, piece.end);
      // After a server's REJ another one follows, further on in the stream.
      if (this.helloAt < 0 && tagAt(data, 0, 'CHLO')) this.helloAt = piece.offset;
      if (this.helloAt >= 0 && piece.offset >= this.helloAt) this.hello.add(piece.offset - this.helloAt, data);
    }
    if (readChlo(this.hello.prefix) !== undefined || ++this.packets === PACKETS_MAX) this.finish();
  }

  gap(): Parse {
    return this.done ? Parse.STOP : Parse.MORE;
  }
  end(): void {
    if (!this.done) this.finish();
  }
  take(): GquicStream | null {
    const { session } = this;
    this.session = null;
    return session;
  }
  reset(): void {
    this.hello.reset();
    this.helloAt = -1;
    this.version = undefined;
    this.cid = undefined;
    this.clientIsOrig = true;
    this.packets = 0;
    this.done = false;
    this.session = null;
  }

  private finish(): void {
    this.done = true;
    if (this.version === undefined || this.cid === undefined) return;
    this.session = new GquicStream(this.version, this.cid, readChlo(this.hello.prefix));
  }
}

export const GQUIC_PARSER: ParserFactory = {
  name: 'gquic',
  proto: ProtocolNumber.GQUIC,
  classes: [GquicStream],
  over: ['udp'],
  create: () => new GquicParser(),
};
