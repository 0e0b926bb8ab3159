/**
 * Small arrays that are read or written for every packet. V8 keeps arrays of up to 64 bytes on its heap, where they may move:
 * compiled code then looks up place and length at each access. Outside the heap both are constants in the code.
 */

/** `count` words, all 0, outside V8's heap. */
export function int32Words(count: number): Int32Array<ArrayBuffer> {
  return new Int32Array(new ArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

/** `count` doubles, all 0, outside V8's heap. */
export function float64Words(count: number): Float64Array<ArrayBuffer> {
  return new Float64Array(new ArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT));
}
