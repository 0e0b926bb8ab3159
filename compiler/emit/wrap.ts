/** Breaks long lines of finished code where that changes nothing: between the parts of a bracket, never inside a string. */
import { LINE } from './text.ts';

/** Brackets may hold brackets that are too long themselves. */
const MAX_DEPTH = 6;

/** The text with its long lines broken, remarks moved above what they are about, and empty functions closed. */
export function wrapText(text: string): string {
  return text
    .replace(/\): void \{\n[ \t]*\}/g, '): void {}')
    .split('\n')
    .flatMap((line) => (line.length <= LINE ? [line] : wrapLine(line, 0)))
    .join('\n');
}

function wrapLine(line: string, depth: number): readonly string[] {
  const indent = /^ */.exec(line)?.[0] ?? '';
  const remark = remarkAt(line);
  if (remark === indent.length) return [shortened(line)];
  if (remark >= 0) {
    const code = line.slice(0, remark).trimEnd();
    const comment = line.slice(remark);
    // Behind an opening brace a remark goes below it, else above.
    const inside = /[{:]$/.test(code);
    const placed = wrapLine(`${indent}${inside ? '  ' : ''}${comment}`, depth);
    const broken = code.length <= LINE ? [code] : wrapLine(code, depth);
    return inside ? [...broken, ...placed] : [...placed, ...broken];
  }
  const group = depth < MAX_DEPTH ? widestGroup(line) : undefined;
  if (group === undefined) return [line];
  const { open, close, separator, cuts } = group;
  const inner = `${indent}  `;
  const parts: string[] = [];
  let from = open + 1;
  for (const cut of [...cuts, close]) {
    const end = cut === close ? cut : cut + separator.trimEnd().length;
    parts.push(line.slice(from, end).trim());
    from = end;
  }
  const opened = line.slice(0, open + 1);
  const closed = `${indent}${line.slice(close)}`;
  const filled = separator === ' && ' || separator === ' || ' ? parts : fill(parts, LINE - inner.length);
  const lines = [opened, ...filled.map((part) => `${inner}${part}`), closed];
  return lines.flatMap((one) => (one.length <= LINE ? [one] : wrapLine(one, depth + 1)));
}

/** A comment of one line, cut to fit. */
function shortened(line: string): string {
  if (line.length <= LINE) return line;
  const end = line.endsWith('*/') ? '... */' : '...';
  return `${line.slice(0, LINE - end.length)}${end}`;
}

/** As many parts on a line as there is room for. */
function fill(parts: readonly string[], width: number): readonly string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + part.length <= width) lines[lines.length - 1] = `${last} ${part}`;
    else lines.push(part);
  }
  return lines;
}

interface Group {
  readonly open: number;
  readonly close: number;
  readonly separator: string;
  readonly cuts: readonly number[];
}

const SEPARATORS = [', ', ' || ', ' && ', ' | '] as const;

/** The longest bracket with something to break at; the loosest operator in it. */
function widestGroup(line: string): Group | undefined {
  const stack: { open: number; cuts: Map<string, number[]> }[] = [];
  let best: Group | undefined;
  for (let i = 0; i < line.length; i++) {
    const char = line[i] ?? '';
    if (char === "'" || char === '"') {
      i = stringEnd(line, i);
      continue;
    }
    if (char === '(' || char === '[' || (char === '{' && line[i + 1] === ' ')) stack.push({ open: i, cuts: new Map() });
    else if (char === ')' || char === ']' || (char === '}' && line[i - 1] === ' ')) {
      const group = stack.pop();
      if (group === undefined) continue;
      const separator = SEPARATORS.find((one) => group.cuts.has(one));
      if (separator === undefined || (best !== undefined && best.close - best.open > i - group.open)) continue;
      best = { open: group.open, close: i, separator, cuts: group.cuts.get(separator) ?? [] };
    } else {
      const top = stack.at(-1);
      const separator = SEPARATORS.find((one) => line.startsWith(one, i));
      if (top === undefined || separator === undefined) continue;
      const cuts = top.cuts.get(separator) ?? [];
      cuts.push(i);
      top.cuts.set(separator, cuts);
    }
  }
  return best;
}

/** Where the remark of a line begins; -1 without one. */
function remarkAt(line: string): number {
  for (let i = 0; i < line.length; i++) {
    if (line[i] === "'" || line[i] === '"') i = stringEnd(line, i);
    else if (line[i] === '/' && (line[i + 1] === '/' || line[i + 1] === '*')) return i;
  }
  return -1;
}

/** The closing quote of the string that begins at `start`. */
function stringEnd(line: string, start: number): number {
  for (let i = start + 1; i < line.length; i++) {
    if (line[i] === '\\') i++;
    else if (line[i] === line[start]) return i;
  }
  return line.length;
}
