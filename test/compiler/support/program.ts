/** Checked programs built by hand, for tests of the planner and the emitter alone. */
import type { CallbackInfo, DataTypeInfo, Level } from '../../../compiler/analysis/info.ts';
import { findField, findProtocol } from '../../../compiler/catalog/catalog.ts';
import type {
  FieldPredicate,
  Test,
  TypedExpr,
  TypedProgram,
  TypedSubscription,
} from '../../../compiler/language/typed.ts';

const SPAN = { start: 0, end: 0 };
const FILE = { path: 'test.iris', text: '' };

export function proto(name: string): TypedExpr {
  const protocol = findProtocol(name);
  if (protocol === undefined) throw new RangeError(name);
  return { kind: 'protocol', protocol, span: SPAN };
}

function fieldTest(path: string, test: Test, text: string): FieldPredicate {
  const [name = '', field = ''] = path.split('.');
  const protocol = findProtocol(name);
  const def = protocol === undefined ? undefined : findField(protocol, field);
  if (protocol === undefined || def === undefined) throw new RangeError(path);
  return { kind: 'field', protocol, field: def, test, text, span: SPAN };
}

/** `path` lies in one of the ranges; a single number is a range of one. */
export function within(
  path: string,
  ...ranges: (number | bigint | readonly [number | bigint, number | bigint])[]
): FieldPredicate {
  const list = ranges.map((r) =>
    Array.isArray(r)
      ? { low: BigInt(r[0]), high: BigInt(r[1]) }
      : { low: BigInt(r as number), high: BigInt(r as number) },
  );
  const text = list.map((r) => (r.low === r.high ? `${r.low}` : `${r.low}..${r.high}`)).join(', ');
  return fieldTest(
    path,
    { kind: 'ranges', ranges: list },
    list.length === 1 && list[0]?.low === list[0]?.high ? `${path} = ${text}` : `${path} in {${text}}`,
  );
}

export function matches(path: string, pattern: string): FieldPredicate {
  return fieldTest(path, { kind: 'text-matches', pattern }, `${path} matches '${pattern}'`);
}

export function oneOf(path: string, ...values: string[]): FieldPredicate {
  return fieldTest(path, { kind: 'text-in', values: [...values].sort() }, `${path} in {${values.join(', ')}}`);
}

export const and = (...terms: TypedExpr[]): TypedExpr => ({ kind: 'and', terms, span: SPAN });
export const or = (...terms: TypedExpr[]): TypedExpr => ({ kind: 'or', terms, span: SPAN });
export const not = (expr: TypedExpr): TypedExpr => ({ kind: 'not', expr, span: SPAN });
export const everything: TypedExpr = { kind: 'true' };

function dataType(name: string, kind: DataTypeInfo['kind'], availableAt: Level, protocol?: string): DataTypeInfo {
  const base = {
    name,
    module: 'iris-ts/runtime',
    file: FILE,
    span: SPAN,
    kind,
    availableAt,
    updates: [],
    expensive: false,
  };
  return protocol === undefined ? base : { ...base, protocol };
}

export const TLS_HANDSHAKE = dataType('TlsHandshake', 'session', 'L7EndHdrs', 'tls');
export const FIVE_TUPLE = dataType('FiveTuple', 'view', 'L4FirstPacket');
export const L4_PDU = dataType('L4Pdu', 'pdu', 'Packet');

export function subscribe(
  name: string,
  params: Readonly<Record<string, DataTypeInfo>>,
  levels: readonly Level[],
  when: TypedExpr,
  text = name,
  callback?: CallbackInfo,
): TypedSubscription {
  const list = Object.entries(params).map(([own, type]) => ({ name: own, type }));
  return { name, span: SPAN, params: list, levels, when, callback, text };
}

/** A function named by `subscribe NAME` and imported from `./handlers.ts`. */
export function imported(name: string, streaming = false): CallbackInfo {
  return {
    name,
    module: './handlers.ts',
    file: FILE,
    span: SPAN,
    kind: 'function',
    params: [],
    methods: [],
    streaming,
  };
}

export function program(...subscriptions: TypedSubscription[]): TypedProgram {
  return { file: FILE, subscriptions, uses: [] };
}
