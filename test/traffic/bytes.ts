/** Builds byte strings out of big-endian numbers, text and length-prefixed blocks. For templates, not for hot code. */

export type Part = Uint8Array | readonly number[];

export function concat(...parts: readonly Part[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const u8 = (value: number): readonly number[] => [value & 0xff];
export const u16 = (value: number): readonly number[] => [(value >>> 8) & 0xff, value & 0xff];
export const u24 = (value: number): readonly number[] => [(value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
export const u32 = (value: number): readonly number[] => [...u16(value >>> 16), ...u16(value)];
export const u16s = (values: readonly number[]): Uint8Array => concat(...values.map(u16));

/** Text as latin1. */
export function text(value: string): Uint8Array {
  const out = new Uint8Array(value.length);
  for (let i = 0; i < value.length; i++) out[i] = value.charCodeAt(i);
  return out;
}

/** `parts` behind their length in `size` bytes. */
export function block(size: 1 | 2 | 3, ...parts: readonly Part[]): Uint8Array {
  const body = concat(...parts);
  const length = size === 1 ? u8(body.length) : size === 2 ? u16(body.length) : u24(body.length);
  return concat(length, body);
}
