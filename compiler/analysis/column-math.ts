/** Calls of Math in column methods: what kind of number they give, and its bounds. */
import { type Code, primary } from './code.ts';

const INTEGER_MATH = new Set('floor ceil round trunc imul clz32 sign'.split(' '));

/** `Math.FN(ARGS)`. */
export function mathCall(fn: string, args: readonly Code[]): Code {
  const text = `Math.${fn}(${args.map((arg) => arg.text).join(', ')})`;
  const ints = args.every((arg) => arg.kind === 'int');
  if (fn !== 'min' && fn !== 'max')
    return primary(text, INTEGER_MATH.has(fn) || (fn === 'abs' && ints) ? 'int' : 'number');
  const intervals = args.map((arg) => arg.interval).filter((interval) => interval !== undefined);
  const known = intervals.length === args.length && args.length > 0;
  const pick = fn === 'min' ? Math.min : Math.max;
  const interval = known
    ? { low: pick(...intervals.map((one) => one.low)), high: pick(...intervals.map((one) => one.high)) }
    : undefined;
  return primary(text, ints ? 'int' : 'number', interval);
}
