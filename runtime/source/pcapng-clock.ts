/**
 * Hot. From a pcapng interface's 64-bit time stamps to seconds and nanoseconds, exact for every resolution. Doubles carry the
 * common ones (long division in base 65536 keeps each step below 2^53), BigInt the others.
 */
export interface InterfaceClock {
  /**
   * Reads the stamp at `at` (its high word, then its low one) and writes its time to `into`: whole seconds (as int32),
   * nanoseconds (rounded down). The words are read here because as arguments they would be boxed.
   */
  read(view: DataView, at: number, littleEndian: boolean, into: Int32Array): void;
}

const TWO_32 = 4294967296;

/** `resolution` is the option if_tsresol: 10^-n, or 2^-n when bit 7 is set. `offset` is if_tsoffset, in seconds. */
export function createClock(resolution: number, offset: bigint): InterfaceClock {
  const exponent = resolution & 0x7f;
  const binary = (resolution & 0x80) !== 0;
  const offsetSeconds = Number(BigInt.asIntN(32, offset));
  if (!binary && exponent <= 9) return doubleClock(10 ** exponent, 10 ** (9 - exponent), 1, offsetSeconds);
  // 10^9 / 2^n = 5^9 / 2^(n - 9); up to n = 32 the product of a remainder with 5^9 stays below 2^53.
  if (binary && exponent <= 32) return doubleClock(2 ** exponent, 5 ** 9, 2 ** (exponent - 9), offsetSeconds);
  return bigClock((binary ? 2n : 10n) ** BigInt(exponent), BigInt.asIntN(32, offset));
}

/** `units` per second; a remainder r is floor(r * multiplier / divisor) nanoseconds. */
function doubleClock(units: number, multiplier: number, divisor: number, offset: number): InterfaceClock {
  return {
    read(view, at, littleEndian, into) {
      const high = view.getUint32(at, littleEndian);
      const low = view.getUint32(at + 4, littleEndian);
      let seconds: number;
      let rest: number;
      if (high < 0x200000) {
        const stamp = high * TWO_32 + low;
        seconds = Math.floor(stamp / units);
        rest = stamp - seconds * units;
      } else {
        const middle = (high - Math.floor(high / units) * units) * 65536 + (low >>> 16);
        const second = Math.floor(middle / units);
        const last = (middle - second * units) * 65536 + (low & 0xffff);
        const third = Math.floor(last / units);
        rest = last - third * units;
        // The whole units of `high` are multiples of 2^32 seconds, which the row's 32 bits do not hold.
        seconds = second * 65536 + third;
      }
      into[0] = (seconds + offset) | 0;
      into[1] = Math.floor((rest * multiplier) / divisor);
    },
  };
}

function bigClock(units: bigint, offset: bigint): InterfaceClock {
  return {
    read(view, at, littleEndian, into) {
      const high = view.getUint32(at, littleEndian);
      const low = view.getUint32(at + 4, littleEndian);
      const stamp = (BigInt(high) << 32n) | BigInt(low);
      const seconds = stamp / units;
      into[0] = Number(BigInt.asIntN(32, seconds + offset));
      into[1] = Number(((stamp - seconds * units) * 1_000_000_000n) / units);
    },
  };
}
