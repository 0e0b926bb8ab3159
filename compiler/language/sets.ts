/** Named sets: the elements that a `set` statement or a `lines("file")` file holds, ready to be converted to a field's type. */
import type { SetLiteral, SetStatement, SourceFile, Span, StringLiteral, Value } from './ast.ts';
import type { CheckEnvironment } from './environment.ts';
import { parseValue } from './parse.ts';
import type { Report } from './report.ts';

/** One element, and the file it stands in where that is not the filter file. */
export interface Element {
  readonly value: Value;
  readonly file?: SourceFile | undefined;
}

export interface Sets {
  has(name: string): boolean;
  /** The elements of a named set; undefined after reporting what is wrong. `asText` takes each line of a file as text. */
  named(name: string, asText: boolean): readonly Element[] | undefined;
  /** The elements of a set literal, those of sets named in it included. */
  literal(set: SetLiteral, asText: boolean): readonly Element[] | undefined;
}

export function createSets(statements: ReadonlyMap<string, SetStatement>, env: CheckEnvironment, report: Report): Sets {
  const files = new Map<SetStatement, readonly StringLiteral[] | undefined>();
  const texts = new Map<SetStatement, SourceFile>();

  function lines(statement: SetStatement): readonly StringLiteral[] | undefined {
    if (statement.value.kind !== 'lines') return undefined;
    if (files.has(statement)) return files.get(statement);
    const { path } = statement.value;
    const text = env.readText(path.value);
    let found: readonly StringLiteral[] | undefined;
    if ('error' in text) report.error('unreadable-file', path.span, `cannot read \`${path.value}\`: ${text.error}`);
    else {
      texts.set(statement, text);
      found = splitLines(text.text);
      if (found.length === 0) report.error('empty-set', path.span, `\`${path.value}\` holds no values`);
    }
    files.set(statement, found);
    return found;
  }

  function elements(
    statement: SetStatement,
    asText: boolean,
    open: ReadonlySet<SetStatement>,
  ): readonly Element[] | undefined {
    if (statement.value.kind === 'set') return members(statement.value, asText, new Set([...open, statement]));
    const found = lines(statement);
    const file = texts.get(statement);
    if (found === undefined || found.length === 0) return undefined;
    return found.map((line) => {
      const value = asText ? undefined : parseValue(line.value);
      return { value: value === undefined ? line : moved(value, line.span), file };
    });
  }

  function members(set: SetLiteral, asText: boolean, open: ReadonlySet<SetStatement>): readonly Element[] | undefined {
    if (set.values.length === 0) {
      report.error('empty-set', set.span, 'a set needs at least one value');
      return undefined;
    }
    const out: Element[] = [];
    for (const value of set.values) {
      const named = value.kind === 'name' ? statements.get(value.name) : undefined;
      if (named === undefined) {
        out.push({ value });
        continue;
      }
      if (open.has(named)) {
        report.error('cycle', value.span, `the set \`${named.name.name}\` contains itself`);
        return undefined;
      }
      const inner = elements(named, asText, open);
      if (inner === undefined) return undefined;
      out.push(...inner);
    }
    return out;
  }

  return {
    has: (name) => statements.has(name),
    named(name, asText) {
      const statement = statements.get(name);
      return statement === undefined ? undefined : elements(statement, asText, new Set());
    },
    literal: (set, asText) => members(set, asText, new Set()),
  };
}

/** One value per line, whichever way lines end; `#` starts a comment at the beginning of a line or after space. */
function splitLines(text: string): StringLiteral[] {
  const values: StringLiteral[] = [];
  let start = 0;
  for (const line of text.split('\n')) {
    const content = line.replace(/(^|\s)#.*$/s, '');
    const value = content.trim();
    if (value !== '') {
      const from = start + content.indexOf(value);
      values.push({ kind: 'string', value, span: { start: from, end: from + value.length } });
    }
    start += line.length + 1;
  }
  return values;
}

/** A value parsed from a line of its own, put where that line stands. */
function moved(value: Value, span: Span): Value {
  return value.kind === 'range'
    ? { ...value, span, low: { ...value.low, span }, high: { ...value.high, span } }
    : { ...value, span };
}
