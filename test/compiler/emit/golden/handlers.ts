/** The handler that sni.iris imports: it is called once for every TLS handshake towards port 443. */
import type { FiveTuple, TlsHandshake } from 'iris-ts/runtime';

const seen = new Map<string, number>();

/** Tells each server name once, at its first handshake, and every hundredth one after it. */
export function onHttps(tls: TlsHandshake, ends: FiveTuple): void {
  const name = tls.sni ?? 'no server name';
  const count = (seen.get(name) ?? 0) + 1;
  seen.set(name, count);
  if (count % 100 === 1) console.error(`${name}: handshake ${count}, from ${ends.origAddr}`);
}
