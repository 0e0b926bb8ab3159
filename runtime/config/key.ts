/** How one configuration key is described, and how a value is checked against its description. */

interface KeyBase<T> {
  readonly doc: string;
  /** As in `ms`, `bytes`. */
  readonly unit?: string;
  /** Its default; keys without one are absent unless given. */
  readonly default?: T;
  /** Must be given wherever its section is. */
  readonly required?: boolean;
  /** Read and checked, but without effect in this version. */
  readonly inert?: boolean;
}

export interface IntegerKey extends KeyBase<number> {
  readonly type: 'integer';
  readonly min: number;
  readonly max: number;
}
export interface NumberKey extends KeyBase<number> {
  readonly type: 'number';
  readonly min: number;
  readonly max: number;
}
export interface BooleanKey extends KeyBase<boolean> {
  readonly type: 'boolean';
}
export interface StringKey extends KeyBase<string> {
  readonly type: 'string';
  /** The only values allowed. */
  readonly values?: readonly string[];
}
export interface StringsKey extends KeyBase<readonly string[]> {
  readonly type: 'strings';
}
/** A list of different core numbers. */
export interface CoresKey extends KeyBase<readonly number[]> {
  readonly type: 'cores';
}
/** A list of different TCP or UDP port numbers. */
export interface PortsKey extends KeyBase<readonly number[]> {
  readonly type: 'ports';
}
export type Key = IntegerKey | NumberKey | BooleanKey | StringKey | StringsKey | CoresKey | PortsKey;

/** Highest core number that Linux's affinity calls take. */
export const MAX_CORE = 1023;

/** What a key allows, as words that follow "must be". */
export function allowed(key: Key): string {
  const unit = key.unit === undefined ? '' : ` ${key.unit}`;
  switch (key.type) {
    case 'integer':
      return `a whole number of ${key.min} to ${key.max}${unit}`;
    case 'number':
      return `a number of ${key.min} to ${key.max}${unit}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return key.values === undefined ? 'a string' : `one of ${key.values.map((v) => `"${v}"`).join(', ')}`;
    case 'strings':
      return 'a list of strings';
    case 'cores':
      return `a list of different core numbers, each 0 to ${MAX_CORE}`;
    case 'ports':
      return 'a list of different port numbers, each 1 to 65535';
  }
}

/** Whether a value read from TOML is allowed for the key. */
export function accepts(key: Key, value: unknown): boolean {
  switch (key.type) {
    case 'integer':
      return Number.isInteger(value) && inRange(value, key.min, key.max);
    case 'number':
      return inRange(value, key.min, key.max);
    case 'boolean':
      return typeof value === 'boolean';
    case 'string':
      return typeof value === 'string' && value !== '' && (key.values === undefined || key.values.includes(value));
    case 'strings':
      return Array.isArray(value) && value.every((v) => typeof v === 'string');
    case 'cores':
      return differentNumbers(value, 0, MAX_CORE);
    case 'ports':
      return differentNumbers(value, 1, 65_535);
  }
}

function differentNumbers(value: unknown, min: number, max: number): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((v) => Number.isInteger(v) && inRange(v, min, max)) &&
    new Set(value).size === value.length
  );
}

function inRange(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && value >= min && value <= max;
}

/** How a value is shown in an error. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
