/** IP addresses as text. */

/** An IPv4 address, given as a big-endian 32-bit number, as dotted decimals. */
export function ipv4Text(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

/**
 * An IPv6 address, given as four big-endian 32-bit words from `at` on, in the form of RFC 5952: lower case, no leading
 * zeros, the longest run of two or more zero groups (the first of equals) as `::`.
 */
export function ipv6Text(words: Int32Array, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 4; i++) groups.push(words[at + i] >>> 16, words[at + i] & 0xffff);
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff) {
    // IPv4-mapped addresses keep their decimals (RFC 5952 section 5).
    return `::ffff:${ipv4Text(words[at + 3])}`;
  }
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    if (end > i) i = end;
  }
  const text = groups.map((g) => g.toString(16));
  if (start < 0) return text.join(':');
  return `${text.slice(0, start).join(':')}::${text.slice(start + length).join(':')}`;
}

/** An address in network order, 4 or 16 bytes, as text. */
export function addressText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 4) return ipv4Text(view.getInt32(0));
  return ipv6Text(
    Int32Array.from({ length: 4 }, (_, i) => view.getInt32(i * 4)),
    0,
  );
}
