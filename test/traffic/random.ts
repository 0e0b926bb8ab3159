/** Pseudo-random numbers that a seed fixes on every machine: the small-state generator sfc32, in int32 arithmetic only. */

export interface Random {
  /** Uniform over all 32-bit integers, as a signed number. */
  next(): number;
  /** Uniform over 0..n-1, for n up to 2^31. */
  below(n: number): number;
  /** True with probability `share`. */
  chance(share: number): boolean;
  pick<T>(values: readonly T[]): T;
  fill(bytes: Uint8Array): Uint8Array;
}

/** Mixes two 32-bit numbers into one; both bits and order of the arguments matter. */
export function mix(x: number, y: number): number {
  let h = (Math.imul(x, 0x9e3779b1) ^ Math.imul(y ^ (y >>> 15), 0x85ebca6b)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b | 0);
  return h ^ (h >>> 16);
}

export function createRandom(seed: number): Random {
  let a = mix(seed | 0, 1);
  let b = mix(seed | 0, 2);
  let c = mix(Math.floor(seed / 0x100000000) | 0, 3);
  let counter = 1;

  function next(): number {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t;
  }

  function below(n: number): number {
    // The product of a 32-bit and a 21-bit number is exact in a double; larger ranges lose nothing that matters here.
    return Math.floor((next() >>> 0) * (n / 0x100000000));
  }

  function pick<T>(values: readonly T[]): T {
    const value = values[below(values.length)];
    if (value === undefined) throw new RangeError('pick from an empty list');
    return value;
  }

  function fill(bytes: Uint8Array): Uint8Array {
    for (let i = 0; i < bytes.length; i++) bytes[i] = next() >>> 24;
    return bytes;
  }

  for (let i = 0; i < 12; i++) next();
  return { next, below, chance: (share) => share > 0 && next() >>> 0 < share * 0x100000000, pick, fill };
}
