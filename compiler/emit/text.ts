/** How user text and names reach generated code: as escaped literals, as comments of one line, or as checked identifiers. */

/** Where long lists in generated code are broken. */
export const LINE = 120;

/** A string literal in single quotes that any JavaScript parser reads back as `text`. */
export function stringLiteral(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner.replace(/[\u007f-\u009f\u2028\u2029\ud800-\udfff\ufeff\u202a-\u202e\u2066-\u2069]/g, escapeUnit)}'`;
}

/** Text for the rest of a `//` line or a doc comment: one line, nothing that ends the comment. */
export function commentText(text: string): string {
  // Control, format (bidirectional overrides among them), line separators, halves of surrogate pairs.
  const oneLine = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ').replaceAll('*/', '* /');
  return oneLine.length <= 160 ? oneLine : `${oneLine.slice(0, 157)}...`;
}

function escapeUnit(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** The name itself if it is a plain identifier. Names were checked long before; this is the last gate. */
export function identifier(name: string): string {
  if (!IDENTIFIER.test(name)) throw new TypeError(`not an identifier: ${JSON.stringify(name)}`);
  return name;
}

/** A key of an object literal or a type. */
export function propertyKey(name: string): string {
  return IDENTIFIER.test(name) && name !== '__proto__' ? name : `[${stringLiteral(name)}]`;
}

/** Words that cannot name a variable in a module, and names with a meaning of their own. */
const TAKEN =
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof undefined var void while with yield NaN Infinity Set Map Array Object Number String Math Uint8Array Int32Array Float64Array DataView globalThis'.split(
    ' ',
  );

/** Hands out names, each once: the wanted one, or with a number behind it. */
export class Names {
  readonly #taken = new Set<string>(TAKEN);

  constructor(reserved: readonly string[] = []) {
    for (const name of reserved) this.#taken.add(name);
  }

  take(wanted: string): string {
    const base = identifier(wanted);
    let name = base;
    const joint = /^[A-Z0-9_]+$|\d$/.test(base) ? '_' : '';
    for (let i = 2; this.#taken.has(name); i++) name = `${base}${joint}${i}`;
    this.#taken.add(name);
    return name;
  }
}

/** `tls`, `client_version` -> `tlsClientVersion`. */
export function camelCase(...parts: readonly string[]): string {
  const words = parts.flatMap((part) => part.split(/[^A-Za-z0-9]+/)).filter((word) => word !== '');
  return words.map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1))).join('');
}

export const pascalCase = (name: string): string => {
  const camel = camelCase(name);
  return camel.charAt(0).toUpperCase() + camel.slice(1);
};

/** `onHttps` -> `ON_HTTPS`. */
export function constantCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toUpperCase();
}

/** Short, stable digest of a text: eight hex digits (FNV-1a, 32 bits, over UTF-16 units). Not for secrets. */
export function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >> 8), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** `open a, b, c close` on one line, or filled into as many as it takes. */
export function wrapList(open: string, items: readonly string[], close: string): readonly string[] {
  const whole = `${open}${items.join(', ')}${close}`;
  if (whole.length <= LINE) return [whole];
  const out = [open];
  let line = ' ';
  for (const item of items) {
    if (line.length + item.length + 2 > LINE) {
      out.push(line);
      line = ' ';
    }
    line += ` ${item},`;
  }
  return [...out, line, close];
}
