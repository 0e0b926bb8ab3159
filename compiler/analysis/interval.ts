/** Bounds of integer expressions: an array column may be indexed only by what surely stays inside it. */

/** Both ends included; every value is an integer. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export const INT32: Interval = { low: -(2 ** 31), high: 2 ** 31 - 1 };
export const UINT32: Interval = { low: 0, high: 2 ** 32 - 1 };

type Maybe = Interval | undefined;

export function exactly(value: number): Maybe {
  return Number.isInteger(value) ? { low: value, high: value } : undefined;
}

export function within(inner: Maybe, outer: Interval): boolean {
  return inner !== undefined && inner.low >= outer.low && inner.high <= outer.high;
}

/** Values of either. */
export function join(a: Maybe, b: Maybe): Maybe {
  if (a === undefined || b === undefined) return undefined;
  return { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}

/** Bounds of `a OP b`, where they can be told. */
export function combine(operator: string, a: Maybe, b: Maybe): Maybe {
  switch (operator) {
    case '+':
      return a && b && exact({ low: a.low + b.low, high: a.high + b.high });
    case '-':
      return a && b && exact({ low: a.low - b.high, high: a.high - b.low });
    case '*': {
      if (a === undefined || b === undefined) return undefined;
      const ends = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
      return exact({ low: Math.min(...ends), high: Math.max(...ends) });
    }
    case '&': {
      // A mask without a sign bit bounds the result whatever the other side is.
      const masks = [a, b].filter((side) => within(side, { low: 0, high: INT32.high })) as Interval[];
      return masks.length === 0 ? INT32 : { low: 0, high: Math.min(...masks.map((mask) => mask.high)) };
    }
    case '%':
      if (a === undefined || b === undefined || b.low !== b.high || b.low <= 0) return undefined;
      return a.low >= 0 ? { low: 0, high: Math.min(a.high, b.low - 1) } : { low: 1 - b.low, high: b.low - 1 };
    case '>>':
      if (!within(a, INT32) || a === undefined || !isShift(b)) return INT32;
      return { low: a.low >> b.low, high: a.high >> b.low };
    case '>>>':
      if (!within(a, UINT32) || a === undefined || !isShift(b)) return UINT32;
      return { low: a.low >>> b.low, high: a.high >>> b.low };
    case '|':
      // `x | 0` keeps what is an int32 already.
      return within(a, INT32) && b?.low === 0 && b.high === 0 ? a : INT32;
    case '^':
    case '<<':
      return INT32;
    default:
      return undefined;
  }
}

function isShift(b: Maybe): b is Interval {
  return b !== undefined && b.low === b.high && b.low >= 0 && b.low < 32;
}

/** Bounds within which doubles count exactly. */
function exact(interval: Interval): Maybe {
  return within(interval, { low: -Number.MAX_SAFE_INTEGER, high: Number.MAX_SAFE_INTEGER }) ? interval : undefined;
}
