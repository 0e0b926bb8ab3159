/** Parses the first packet of either side of an MQTT connection into one `MqttConnect`. */
import { Parse, type ParserFactory, Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { MqttConnect, variableInteger } from './connect.ts';

const CONNECT = 0x10;
const CONNACK = 0x20;
/** Longest first packet that is believed; a CONNECT may hold a will message. */
const PACKET_MAX = 65536;
/** Names of the protocol with their lengths, as in 3.1.1 and 5.0, and in 3.1. */
const NAMES = ['\0\x04MQTT', '\0\x06MQIsdp'];

/** Whether a direction starts with a CONNECT packet. */
function probeMqtt(bytes: Uint8Array, offset: number, length: number): Probe {
  const end = offset + length;
  if (length > 0 && bytes[offset] !== CONNECT) return Probe.NO;
  const [packet, at] = variableInteger(bytes, offset + 1, end);
  if (packet < 0) return length < 5 ? Probe.MAYBE : Probe.NO;
  if (packet < 10 || packet > PACKET_MAX) return Probe.NO;
  let said: Probe = Probe.NO;
  for (const name of NAMES) {
    let same = 0;
    while (same < name.length && at + same < end && bytes[at + same] === name.charCodeAt(same)) same++;
    if (same === name.length) return Probe.YES;
    if (at + same === end) said = Probe.MAYBE;
  }
  return said;
}

/** The first packet of one direction. */
class First {
  bytes = new Uint8Array(256);
  filled = 0;
  /** Where its body begins and ends; -1 while the header is not whole. */
  start = -1;
  end = -1;
  lost = false;

  reset(): void {
    if (this.bytes.length > 1024) this.bytes = new Uint8Array(256);
    this.filled = 0;
    this.start = -1;
    this.end = -1;
    this.lost = false;
  }

  /** Takes bytes until the packet is whole. */
  take(bytes: Uint8Array, offset: number, length: number): void {
    for (let at = offset; at < offset + length && !this.lost && !this.whole; ) {
      // The header byte by byte, the body at once.
      const count = this.end < 0 ? 1 : Math.min(this.end - this.filled, offset + length - at);
      if (this.filled + count > this.bytes.length) {
        const larger = new Uint8Array(Math.max(this.filled + count, 2 * this.bytes.length));
        larger.set(this.bytes.subarray(0, this.filled));
        this.bytes = larger;
      }
      this.bytes.set(bytes.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.end >= 0) continue;
      const [body, start] = variableInteger(this.bytes, 1, this.filled);
      if (body >= 0) {
        this.start = start;
        this.end = start + body;
        this.lost = this.end > PACKET_MAX;
      } else this.lost = this.filled === 5;
    }
  }

  get whole(): boolean {
    return this.end >= 0 && this.filled === this.end;
  }
}

class MqttParser implements SessionParser {
  private readonly orig = new First();
  private readonly resp = new First();
  private done = false;
  private session: MqttConnect | null = null;

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    return probeMqtt(bytes, offset, length);
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    (fromOrig ? this.orig : this.resp).take(bytes, offset, length);
    return this.settle();
  }

  gap(fromOrig: boolean): Parse {
    const first = fromOrig ? this.orig : this.resp;
    if (!first.whole) first.lost = true;
    return this.settle();
  }

  end(): void {
    if (!this.done) this.finish();
  }
  take(): MqttConnect | null {
    const { session } = this;
    this.session = null;
    return session;
  }
  reset(): void {
    this.orig.reset();
    this.resp.reset();
    this.done = false;
    this.session = null;
  }

  private settle(): Parse {
    const over = (first: First) => first.whole || first.lost;
    if (!this.done && over(this.orig) && over(this.resp)) this.finish();
    return this.done ? Parse.STOP : Parse.MORE;
  }

  private finish(): void {
    this.done = true;
    const body = (type: number) => {
      const first = [this.orig, this.resp].find(({ whole, bytes }) => whole && (bytes[0] & 0xf0) === type);
      return first?.bytes.slice(first.start, first.end);
    };
    const connect = body(CONNECT);
    if (connect !== undefined && connect.length >= 2) this.session = new MqttConnect(connect, body(CONNACK)?.[1]);
  }
}

export const MQTT_PARSER: ParserFactory = {
  name: 'mqtt',
  proto: ProtocolNumber.MQTT,
  classes: [MqttConnect],
  over: ['tcp'],
  create: () => new MqttParser(),
};
