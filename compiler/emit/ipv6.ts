/** Tests of IPv6 addresses, handed over as four big-endian int32 words. */
import { mergeRanges, type Range, type Ranges } from '../plan/ranges.ts';
import { RUNTIME, type Scope } from './scope.ts';
import { wrapList } from './text.ts';

const NAMES = ['a', 'b', 'c', 'd'] as const;

function words(value: bigint): readonly number[] {
  return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffff_ffffn));
}

function int32(word: number): string {
  const hex = `0x${word.toString(16).padStart(8, '0')}`;
  return word < 0x8000_0000 ? hex : `(${hex} | 0)`;
}

/** A prefix as comparisons under masks; undefined if the range is none. */
function prefixExpression(range: Range): string | undefined {
  const size = range.high - range.low + 1n;
  if ((size & (size - 1n)) !== 0n || range.low % size !== 0n) return undefined;
  const masks = words((1n << 128n) - size);
  const low = words(range.low);
  const tests = NAMES.flatMap((name, i) => {
    const mask = masks[i] ?? 0;
    const value = int32(low[i] ?? 0);
    if (mask === 0) return [];
    return mask === 0xffff_ffff ? [`${name} === ${value}`] : [`(${name} & ${int32(mask)}) === ${value}`];
  });
  return tests.length === 0 ? 'true' : tests.join(' && ');
}

/** `a, b, c, d` is at least `low`, word by word. */
function bound(range: Range, scope: Scope): string {
  const compare = scope.helper(
    'compare128',
    'compareAddresses',
    'Sign of the first word in which two IPv6 addresses differ.',
    false,
    (name) => [
      `function ${name}(a: number, b: number, c: number, d: number, e: number, f: number, g: number, h: number): number {`,
      '  if (a !== e) return a >>> 0 < e >>> 0 ? -1 : 1',
      '  if (b !== f) return b >>> 0 < f >>> 0 ? -1 : 1',
      '  if (c !== g) return c >>> 0 < g >>> 0 ? -1 : 1',
      '  return d === h ? 0 : d >>> 0 < h >>> 0 ? -1 : 1',
      '}',
    ],
  );
  const against = (value: bigint): string => `${compare}(a, b, c, d, ${words(value).map(int32).join(', ')})`;
  return `${against(range.low)} >= 0 && ${against(range.high)} <= 0`;
}

/** From this many ranges on they are searched rather than tried. */
const SEARCH_FROM = 8;

/** Name of the module's function that tells the number of the last of these addresses that is not above one; -1: none. */
export function ipv6Steps(base: string, comment: string, starts: readonly bigint[], scope: Scope): string {
  return scope.helper(`ipv6 steps ${starts.join()}`, base, comment, false, (name) => {
    const items = starts.flatMap((start) => words(start).map((word) => `0x${word.toString(16)}`));
    return wrapList(`const ${name} = ${scope.value(RUNTIME, 'addressSteps')}([`, items, '])');
  });
}

/** Where anything changes along the addresses: first values of ranges and of what follows them, sorted. */
export function addressStarts(ranges: Ranges): readonly bigint[] {
  const starts = new Set(ranges.flatMap(({ low, high }) => (high < MAX ? [low, high + 1n] : [low])));
  return [...starts].sort((a, b) => (a < b ? -1 : 1));
}

const MAX = (1n << 128n) - 1n;

/** Name of a function of the module that tests an address given as words. */
export function ipv6Test(base: string, text: string, ranges: Ranges, scope: Scope): string {
  const merged = mergeRanges(ranges);
  const key = `ipv6 ${merged.map((r) => `${r.low}..${r.high}`).join(',')}`;
  return scope.helper(key, base, text, false, (name) => {
    if (merged.length >= SEARCH_FROM) {
      const comment = `${merged.length} ranges of addresses: the first of each, and what follows its last.`;
      const steps = ipv6Steps(`${base}Steps`, comment, addressStarts(merged), scope);
      const own = NAMES.map((word) => `${word}: number`).join(', ');
      return [`function ${name}(${own}): boolean {`, `  return (${steps}(${NAMES.join(', ')}) & 1) === 0`, '}'];
    }
    const tests = merged.map((r) => prefixExpression(r) ?? bound(r, scope));
    const expression = tests.length === 1 ? (tests[0] ?? 'false') : tests.map((t) => `(${t})`).join(' || ');
    const parameters = NAMES.map((word) => `${new RegExp(`\\b${word}\\b`).test(expression) ? '' : '_'}${word}: number`);
    return [
      `function ${name}(${parameters.join(', ')}): boolean {`,
      `  return ${expression === '' ? 'false' : expression}`,
      '}',
    ];
  });
}
