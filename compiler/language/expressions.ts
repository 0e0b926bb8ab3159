/**
 * Conditions to typed expressions: names resolved, combined and neutral fields spread over the plain fields they stand
 * for, negated operators turned into `not` over the positive test.
 */
import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import {
  type CatalogField,
  fieldNames,
  findProtocol,
  NEUTRAL_FIELDS,
  NEUTRAL_PROTOCOLS,
  PROTOCOLS,
  protocolNames,
  resolveField,
  resolveProtocol,
} from '../catalog/catalog.ts';
import { didYouMean, nearest } from '../catalog/suggest.ts';
import type { CompareExpr, Expr, FieldPath, LetStatement, NameExpr, Operator, SourceFile, Span, Value } from './ast.ts';
import { kindOfName, type UsedName } from './environment.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { Element, Sets } from './sets.ts';
import { oneLine } from './source-text.ts';
import type { FieldPredicate, Test, TypedExpr } from './typed.ts';
import { type Comparison, fieldNoun, toTest } from './values.ts';

/** The operator without its negation; undefined when it has none. */
function positiveOf(op: Operator): Operator | undefined {
  return op === '!=' ? '=' : op.startsWith('not ') ? (op.slice('not '.length) as Operator) : undefined;
}

export interface Expressions {
  /** The typed form; undefined after reporting what is wrong. */
  convert(expr: Expr): TypedExpr | undefined;
  /** What a `let` stands for, converted once. */
  letValue(statement: LetStatement): TypedExpr | undefined;
}

export function createExpressions(file: SourceFile, scope: Scope, sets: Sets, report: Report): Expressions {
  const done = new Map<LetStatement, TypedExpr | undefined>();
  /** Lets under way, outermost first: meeting one again is a cycle. */
  const open: LetStatement[] = [];

  function convert(expr: Expr): TypedExpr | undefined {
    switch (expr.kind) {
      case 'and':
      case 'or': {
        const terms = expr.terms.map(convert);
        const known = terms.filter((term) => term !== undefined);
        return known.length === terms.length ? { kind: expr.kind, terms: known, span: expr.span } : undefined;
      }
      case 'not': {
        const inner = convert(expr.expr);
        return inner === undefined ? undefined : { kind: 'not', expr: inner, span: expr.span };
      }
      case 'name':
        return convertName(expr);
      case 'compare':
        return convertCompare(expr);
    }
  }

  function letValue(statement: LetStatement): TypedExpr | undefined {
    if (done.has(statement)) return done.get(statement);
    const start = open.indexOf(statement);
    if (start >= 0) {
      const others = open.slice(start + 1);
      const notes = others.map(({ name }) => ({ message: `by way of \`${name.name}\``, file, span: name.span }));
      const { name } = statement;
      report.error('cycle', name.span, `\`${name.name}\` is defined by itself`, { notes });
      return undefined;
    }
    open.push(statement);
    const value = convert(statement.value);
    open.pop();
    done.set(statement, value);
    return value;
  }

  function convertName({ name, span }: NameExpr): TypedExpr | undefined {
    scope.touch(name);
    const statement = scope.lets.get(name);
    if (statement !== undefined) return letValue(statement);
    const used = scope.used.get(name)?.named;
    if (used?.is === 'filter') return { kind: 'user', filter: used.info, span };
    if (used !== undefined) {
      const [own] = used.filters ?? [];
      const suggestion = own === undefined ? undefined : `name one of its filters: \`${own.name}\``;
      report.error('not-a-condition', span, `\`${name}\` is ${kindOfName(used)}, not a filter`, { suggestion });
      return undefined;
    }
    const protocols = resolveProtocol(name);
    if (protocols !== undefined) return presence(protocols, span);
    if (scope.broken.has(name)) return undefined;
    if (scope.sets.has(name)) {
      report.error(
        'not-a-condition',
        span,
        `\`${name}\` is a set; compare a field with it, as in \`tls.sni in ${name}\``,
      );
    } else if (resolveField(undefined, name) !== undefined) {
      report.error('not-a-condition', span, `\`${name}\` is a field; compare it with a value, as in \`${name} = 443\``);
    } else {
      report.error('unknown-name', span, `nothing is named \`${name}\`: no protocol, \`let\` or imported filter`, {
        suggestion: suggestName(name),
      });
    }
    return undefined;
  }

  function suggestName(name: string): string | undefined {
    const filters = [...scope.used].filter(([, { named }]) => named.is === 'filter').map(([one]) => one);
    const near = didYouMean(name, [...scope.lets.keys(), ...filters, ...protocolNames()]);
    if (near !== undefined) return near;
    const owner = PROTOCOLS.find((protocol) => resolveField(protocol.name, name) !== undefined);
    return owner === undefined ? undefined : `did you mean \`${owner.name}.${name}\`?`;
  }

  /** `Class.method`: a static method that is a filter. `undefined` also after reporting that there is none. */
  function staticFilter(expr: CompareExpr, owner: string, used: UsedName): TypedExpr | undefined {
    scope.touch(owner);
    const { name, span } = expr.field.field;
    const whole = `${owner}.${name}`;
    const filters = used.filters ?? [];
    const found = filters.find((one) => one.name === whole);
    if (found === undefined) {
      const names = filters.map((one) => one.name);
      const hint = names.length === 0 ? 'a static method becomes one by `@filter({ at: LEVEL })`' : undefined;
      const suggestion = didYouMean(whole, names) ?? hint ?? `there is ${names.map((one) => `\`${one}\``).join(', ')}`;
      report.error('unknown-filter', span, `\`${owner}\` has no static filter \`${name}\``, { suggestion });
      return undefined;
    }
    if (expr.op !== undefined) {
      report.error('not-a-field', expr.span, `\`${whole}\` is a filter: it is true or false by itself`);
      return undefined;
    }
    return { kind: 'user', filter: found, span: expr.span };
  }

  function convertCompare(expr: CompareExpr): TypedExpr | undefined {
    const owner = expr.field.proto?.name;
    const used = owner === undefined ? undefined : scope.used.get(owner)?.named;
    if (owner !== undefined && used !== undefined) return staticFilter(expr, owner, used);
    if (owner !== undefined && scope.broken.has(owner)) return undefined;
    const fields = findFields(expr.field);
    const comparison = expr.op === undefined ? undefined : readComparison(expr, expr.op, fields);
    if (fields === undefined) return undefined;
    if (expr.op === undefined) return bareField(expr, fields);
    if (comparison === undefined) return undefined;

    const predicates: FieldPredicate[] = [];
    let failed = false;
    for (const { protocol, field } of fields) {
      // Of a neutral field each version takes the addresses of its own; one without any can never hold.
      const elements = ownElements(fields, field.type, comparison.elements);
      if (elements.length === 0) continue;
      const test = toTest(field, { ...comparison, elements }, report);
      if (test === undefined) failed = true;
      else predicates.push(predicate({ protocol, field }, test, expr, comparison.op));
    }
    if (failed || predicates.length === 0) return undefined;
    const positive = anyOf(predicates, expr.span);
    if (positiveOf(expr.op) === undefined) return positive;
    // A negated operator still speaks of the field: where its protocol is absent it is false, as in tshark.
    const not: TypedExpr = { kind: 'not', expr: positive, span: expr.span };
    return { kind: 'and', terms: [presence(protocolsOf(fields), expr.span), not], span: expr.span };
  }

  function readComparison(
    expr: CompareExpr,
    op: Operator,
    fields: readonly CatalogField[] | undefined,
  ): Comparison | undefined {
    if (expr.value === undefined || !isSetThere(op, expr.value, fields)) return undefined;
    const asText = fields?.some(({ field }) => field.type.startsWith('text') || field.type === 'bytes') ?? true;
    const found = readValue(expr.value, asText);
    if (found === undefined) return undefined;
    return {
      path: fieldText(expr.field),
      op: positiveOf(op) ?? op,
      opSpan: expr.opSpan ?? expr.span,
      elements: found.elements,
      isSet: found.isSet,
      valueSpan: expr.value.span,
    };
  }

  /** Whether a name where a set must stand is one, or a value of the field; reports it if it is neither. */
  function isSetThere(op: Operator, value: Value, fields: readonly CatalogField[] | undefined): boolean {
    if (!['in', 'contains any'].includes(positiveOf(op) ?? op) || value.kind !== 'name') return true;
    const { name, span } = value;
    const named = (fields ?? []).some(({ field }) => Object.hasOwn(field.names ?? {}, name));
    if (sets.has(name) || scope.broken.has(name) || named) return true;
    report.error('unknown-name', span, `there is no set \`${name}\``, {
      suggestion: didYouMean(name, scope.sets.keys()),
    });
    return false;
  }

  function readValue(value: Value, asText: boolean): { elements: readonly Element[]; isSet: boolean } | undefined {
    if (value.kind === 'set') {
      for (const inner of value.values) if (inner.kind === 'name') scope.touch(inner.name);
      const elements = sets.literal(value, asText);
      return elements && { elements, isSet: true };
    }
    if (value.kind === 'name') {
      scope.touch(value.name);
      if (sets.has(value.name)) {
        const elements = sets.named(value.name, asText);
        return elements && { elements, isSet: true };
      }
      if (scope.broken.has(value.name)) return undefined;
    }
    return { elements: [{ value }], isSet: false };
  }

  function bareField(expr: CompareExpr, fields: readonly CatalogField[]): TypedExpr | undefined {
    const [first] = fields;
    if (first?.field.type !== 'bool') {
      const path = fieldText(expr.field);
      const noun = first === undefined ? 'a field' : fieldNoun(first.field);
      report.error('not-a-condition', expr.span, `\`${path}\` is ${noun}; compare it with a value`);
      return undefined;
    }
    const test: Test = { kind: 'ranges', ranges: [{ low: 1n, high: 1n }] };
    return anyOf(
      fields.map((field) => predicate(field, test, expr, undefined)),
      expr.span,
    );
  }

  /** The plain fields of a path; undefined after reporting that there are none. */
  function findFields(path: FieldPath): readonly CatalogField[] | undefined {
    const proto = path.proto?.name;
    const fields = resolveField(proto, path.field.name);
    if (fields !== undefined) return fields;
    if (proto === undefined) reportBareName(path.field.name, path.span);
    else if (findProtocol(proto) !== undefined || Object.hasOwn(NEUTRAL_PROTOCOLS, proto)) reportField(proto, path);
    else reportProtocol(proto, path);
    return undefined;
  }

  function reportBareName(name: string, span: Span): void {
    scope.touch(name);
    if (scope.broken.has(name)) return;
    const known =
      scope.lets.has(name) || scope.sets.has(name) || scope.used.has(name) || resolveProtocol(name) !== undefined;
    const message = known ? `\`${name}\` is no field and cannot be compared` : `no field is named \`${name}\``;
    const owners = PROTOCOLS.filter((protocol) => resolveField(protocol.name, name) !== undefined);
    const own = owners[0] === undefined ? undefined : `did you mean \`${owners[0].name}.${name}\`?`;
    report.error('unknown-field', span, message, {
      suggestion: known ? undefined : (own ?? didYouMean(name, fieldNames())),
    });
  }

  function reportField(proto: string, path: FieldPath): void {
    const name = path.field.name;
    const own = fieldNames()
      .filter((one) => one.startsWith(`${proto}.`))
      .map((one) => one.slice(proto.length + 1));
    const elsewhere = PROTOCOLS.find((protocol) => resolveField(protocol.name, name) !== undefined);
    const other = elsewhere === undefined ? undefined : `did you mean \`${elsewhere.name}.${name}\`?`;
    const suggestion = didYouMean(name, own, `${proto}.`) ?? other;
    report.error('unknown-field', path.field.span, `${proto} has no field \`${name}\``, { suggestion });
  }

  function reportProtocol(proto: string, path: FieldPath): void {
    const name = path.field.name;
    const whole = `${proto}.${name}`;
    const near = nearest(
      proto,
      protocolNames().filter((one) => resolveField(one, name) !== undefined),
    );
    const suggestion = near === undefined ? didYouMean(whole, fieldNames()) : `did you mean \`${near}.${name}\`?`;
    report.error('unknown-protocol', path.proto?.span ?? path.span, `no protocol is named \`${proto}\``, {
      suggestion: suggestion ?? didYouMean(proto, protocolNames()),
    });
  }

  function predicate(
    { protocol, field }: CatalogField,
    test: Test,
    expr: CompareExpr,
    op: Operator | undefined,
  ): FieldPredicate {
    const shownOp = op === 'matches bytes' ? '~b' : op;
    const value = expr.value === undefined ? '' : ` ${shownOp} ${oneLine(file.text, expr.value.span)}`;
    return { kind: 'field', protocol, field, test, text: `${protocol.name}.${field.name}${value}`, span: expr.span };
  }

  return { convert, letValue };
}

function fieldText({ proto, field }: FieldPath): string {
  const path = proto === undefined ? field.name : `${proto.name}.${field.name}`;
  return Object.hasOwn(NEUTRAL_FIELDS, path) || proto !== undefined ? path : field.name;
}

function protocolsOf(fields: readonly CatalogField[]): readonly ProtocolDef[] {
  return [...new Set(fields.map(({ protocol }) => protocol))];
}

function presence(protocols: readonly ProtocolDef[], span: Span): TypedExpr {
  return anyOf(
    protocols.map((protocol) => ({ kind: 'protocol', protocol, span })),
    span,
  );
}

function anyOf(terms: readonly TypedExpr[], span: Span): TypedExpr {
  const [only] = terms;
  return terms.length === 1 && only !== undefined ? only : { kind: 'or', terms, span };
}

/** Where a name stands for IPv4 and IPv6 fields alike, the elements that this one can hold; else all of them. */
function ownElements(fields: readonly CatalogField[], type: string, elements: readonly Element[]): readonly Element[] {
  const both = fields.some(({ field }) => field.type === 'ipv4') && fields.some(({ field }) => field.type === 'ipv6');
  if (!both) return elements;
  const size = type === 'ipv4' ? 4 : 16;
  return elements.filter(({ value }) => {
    if (value.kind === 'addr' || value.kind === 'prefix') return value.bytes.length === size;
    if (value.kind === 'range' && value.low.kind === 'addr') return value.low.bytes.length === size;
    // What is no address of either is said to be none once.
    return type === 'ipv4';
  });
}
