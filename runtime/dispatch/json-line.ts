/** The text of a delivered line: one JSON object, subscription and time first, then one key per parameter in order. */
import { jsonText, microsText } from './json-text.ts';

/** Builds the lines of one worker. Keeps the fixed parts of every subscription's line. */
export function createLineWriter(): (
  subscription: string,
  sec: number,
  nsec: number,
  values: Readonly<Record<string, unknown>>,
) => string {
  const heads = new Map<string, string>();
  const keys = new Map<string, string>();
  const last = new Uint16Array(1);
  let lastSec = -1;
  let lastNsec = -1;
  let lastTime = '';

  function keyOf(name: string): string {
    let key = keys.get(name);
    if (key === undefined) {
      key = `,${JSON.stringify(name)}:`;
      keys.set(name, key);
    }
    return key;
  }

  return (subscription, sec, nsec, values) => {
    let head = heads.get(subscription);
    if (head === undefined) {
      head = `{"subscription":${JSON.stringify(subscription)},"ts":`;
      heads.set(subscription, head);
    }
    if (sec !== lastSec || nsec !== lastNsec) {
      lastTime = timeDigits(sec, nsec);
      lastSec = sec;
      lastNsec = nsec;
    }
    let line = head + lastTime;
    for (const name in values) line += keyOf(name) + valueText(values[name]);
    line += '}\n';
    // Reading a character makes one string of the many parts: lines may wait, and would be moved about in parts.
    last[0] = line.charCodeAt(line.length - 1);
    return line;
  };
}

/** A time as digits, without the rounding of a double: six decimals, or nine when there are nanoseconds. */
export function timeDigits(sec: number, nsec: number): string {
  const micros = Math.floor(nsec / 1000);
  const fraction = nsec === micros * 1000 ? microsText(micros) : String(nsec).padStart(9, '0');
  return `${sec >>> 0}.${fraction}`;
}

function valueText(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    const text = jsonText(value);
    if (text !== undefined) return text;
  }
  if (typeof value === 'bigint') return String(value);
  // What JSON has no word for (undefined, a function) is null, so that every line of a subscription has the same keys.
  return JSON.stringify(value) ?? 'null';
}
