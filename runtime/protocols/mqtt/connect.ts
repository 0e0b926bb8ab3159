/** The session of MQTT: a CONNECT packet and the answer to it. */
import { datatype } from '../../subscription/decorators.ts';
import { writtenBy } from '../../subscription/json-writers.ts';
import { textOf, u16 } from '../bytes.ts';
import { ProtocolNumber, type Session } from '../contract.ts';
import { sessionJson, sessionWriter } from '../session-json.ts';
import { MQTT } from './fields.ts';

const enum Flag {
  CLEAN = 2,
  WILL = 4,
  USER_NAME = 128,
}

/** The variable-length integer at `at` (MQTT 3.1.1 section 2.2.3) as [value, offset behind it]; -1 if it is not whole. */
export function variableInteger(bytes: Uint8Array, at: number, end: number): readonly [value: number, next: number] {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    if (at + i >= end) return [-1, at];
    value |= (bytes[at + i] & 127) << (7 * i);
    if (bytes[at + i] < 128) return [value, at + i + 1];
  }
  return [-1, at];
}

/** Reads the strings of a CONNECT packet in their order. */
class Reader {
  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
  ) {}

  /** A string, or undefined where the packet is too short for it. */
  text(): string | undefined {
    const start = this.at + 2;
    if (start > this.bytes.length) return undefined;
    const end = start + u16(this.bytes, this.at);
    if (end > this.bytes.length) return undefined;
    this.at = end;
    return textOf(this.bytes, start, end);
  }
  /** The properties of MQTT 5.0. */
  skipProperties(): void {
    const [length, next] = variableInteger(this.bytes, this.at, this.bytes.length);
    this.at = length < 0 ? this.bytes.length : next + length;
  }
}

/** An MQTT client's CONNECT and the CONNACK to it. Its properties are the fields of the catalog in camelCase. */
@datatype({ kind: 'session', protocol: 'mqtt' })
export class MqttConnect implements Session {
  readonly proto = ProtocolNumber.MQTT;
  readonly version: number | undefined;
  readonly keepAlive: number | undefined;
  readonly clean: boolean | undefined;
  readonly clientId: string | undefined;
  readonly willTopic: string | undefined;
  readonly userName: string | undefined;
  /** Undefined where no answer came. */
  readonly returnCode: number | undefined;

  /** @param connect the CONNECT packet behind its fixed header */
  constructor(connect: Uint8Array, returnCode: number | undefined) {
    this.returnCode = returnCode;
    const level = 2 + u16(connect, 0);
    if (level + 4 > connect.length) return;
    this.version = connect[level] & 127;
    const flags = connect[level + 1];
    this.clean = (flags & Flag.CLEAN) !== 0;
    this.keepAlive = u16(connect, level + 2);
    const reader = new Reader(connect, level + 4);
    if (this.version === 5) reader.skipProperties();
    this.clientId = reader.text();
    if ((flags & Flag.WILL) !== 0) {
      if (this.version === 5) reader.skipProperties();
      this.willTopic = reader.text();
      reader.text();
    }
    if ((flags & Flag.USER_NAME) !== 0) this.userName = reader.text();
  }

  /** The fields of the catalog that have a value, by their names there. */
  toJSON(): Record<string, unknown> {
    return sessionJson(this, MQTT.fields);
  }
}

writtenBy(MqttConnect.prototype.toJSON, sessionWriter(MQTT.fields));
