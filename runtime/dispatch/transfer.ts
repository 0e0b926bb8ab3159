/**
 * Delivered values on their way to another thread: plain data there, and instances of the same classes again on the other
 * side, detached from the connection they came from, so that a handler sees the types that it declares.
 *
 * What has a prototype of its own crosses if it is a built-in type, a session, or a data type kept in columns; an
 * instance of another class would arrive without its methods, and is refused.
 */
import { deserialize, serialize } from 'node:v8';
import { L4Pdu } from '../conntrack/l4-pdu.ts';
import { CommunityId } from '../datatypes/community-id.ts';
import { ConnDuration } from '../datatypes/conn-duration.ts';
import { EthAddr, EtherTCI } from '../datatypes/ethernet.ts';
import { FiveTuple } from '../datatypes/five-tuple.ts';
import { InterArrivals } from '../datatypes/inter-arrivals.ts';
import { Lifespan } from '../datatypes/lifespan.ts';
import { AnonFiveTuple, ClearedFiveTuple } from '../datatypes/masked-five-tuples.ts';
import { BidirPktStream, OrigPktStream, RespPktStream } from '../datatypes/packet-streams.ts';
import { StartTime } from '../datatypes/start-time.ts';
import { ExitCode, IrisError } from '../errors.ts';
import { PARSERS } from '../protocols/registry.ts';
import { columnClasses, detached, keep } from '../subscription/column-view.ts';

/** Flyweights that say themselves what they are made of. */
const VIEWS: ReadonlyMap<string, { readonly prototype: object; unpack(packed: never): object }> = new Map(
  Object.entries({
    AnonFiveTuple,
    ClearedFiveTuple,
    CommunityId,
    ConnDuration,
    FiveTuple,
    L4Pdu,
    Lifespan,
    StartTime,
  }),
);
/** Classes whose instances are their fields. */
const RECORDS: ReadonlyMap<string, { readonly prototype: object }> = new Map(
  Object.entries({
    BidirPktStream,
    EthAddr,
    EtherTCI,
    InterArrivals,
    OrigPktStream,
    RespPktStream,
    ...Object.fromEntries(PARSERS.flatMap(({ classes = [] }) => classes.map((each) => [each.name, each] as const))),
  }),
);
const NAMES: ReadonlyMap<unknown, string> = new Map(
  [...VIEWS, ...RECORDS].map(([name, { prototype }]) => [prototype, name] as const),
);

/** The first element of a packed object that is of no class. */
const enum Shape {
  OBJECT = 0,
  ARRAY = 1,
}
/** Either is followed by what the instance is made of. */
type Tag = Shape | string;

type Fields = Record<string, unknown>;

/** Values as bytes. Throws IrisError for what cannot cross. */
export function packValues(values: readonly unknown[]): Uint8Array {
  return serialize(values.map(pack));
}

/** The values of {@link packValues}; `bytes` must stay as they are, parts of them are looked into. */
export function unpackValues(bytes: Uint8Array): unknown[] {
  return (deserialize(bytes) as unknown[]).map(unpack);
}

function pack(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') throw cannotCross(`a ${typeof value}`);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value;
  if (Array.isArray(value)) return [Shape.ARRAY, value.map(pack)];
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto === Object.prototype || proto === null) return [Shape.OBJECT, packFields(value)];
  const name = NAMES.get(proto);
  if (name !== undefined) {
    return [name, VIEWS.has(name) ? (value as { pack(): unknown }).pack() : packFields(value)];
  }
  const column = columnClassOf(value);
  if (column !== undefined) return [column, packFields(keep(value))];
  throw cannotCross(`a value of class ${value.constructor?.name ?? '?'}`);
}

function packFields(value: object): Fields {
  const fields: Fields = {};
  for (const [name, field] of Object.entries(value)) fields[name] = pack(field);
  return fields;
}

/** The name of the class in columns that a value is of: an instance, or the flyweight, whose own prototype hides it. */
function columnClassOf(value: object): string | undefined {
  const name = value.constructor?.name;
  const known = columnClasses().get(name);
  return known != null && value instanceof known.type ? name : undefined;
}

function unpack(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const [tag, made] = value as [Tag, unknown];
  if (tag === Shape.ARRAY) return (made as unknown[]).map(unpack);
  if (tag === Shape.OBJECT) return unpackFields(made as Fields);
  const view = VIEWS.get(tag);
  if (view !== undefined) return view.unpack(made as never);
  const fields = unpackFields(made as Fields);
  const record = RECORDS.get(tag);
  if (record !== undefined) return Object.assign(Object.create(record.prototype), fields);
  const column = columnClasses().get(tag);
  if (column == null) throw cannotCross(`a value of class ${tag}, of which there are several,`);
  return detached(column, fields);
}

function unpackFields(packed: Fields): Fields {
  const fields: Fields = {};
  for (const name in packed) fields[name] = unpack(packed[name]);
  return fields;
}

function cannotCross(what: string): IrisError {
  return new IrisError(
    ExitCode.USAGE,
    `${what} cannot be handed to another thread`,
    'let the subscription that wants it run inline: take it out of [dispatch]',
  );
}
