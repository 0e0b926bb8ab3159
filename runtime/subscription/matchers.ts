/**
 * Tests of text and bytes that generated code uses. Each function here is a factory, called once per worker; what it
 * returns is called per session, on text that an attacker may have chosen, so nothing backtracks. A missing value
 * (`undefined`) never matches.
 */
import { RE2JS } from 're2js';
import { type Shape, simpleShape } from './pattern-shape.ts';
import { substringAutomaton } from './substrings.ts';

export type TextTest = (text: string | undefined) => boolean;
export type BytesTest = (bytes: Uint8Array | undefined) => boolean;

/** From this many values on one automaton is faster than one search for each. */
const AUTOMATON_FROM = 6;

/** RE2 pattern found anywhere in the text. Simple shapes become plain string code, all others run on a linear engine. */
export function textMatcher(pattern: string): TextTest {
  const shape = simpleShape(pattern);
  if (shape !== undefined) return shapeTest(shape);
  const regex = RE2JS.compile(pattern);
  return (text) => text !== undefined && regex.test(text);
}

/** The text is one of the values. */
export function textIn(values: readonly string[]): TextTest {
  if (values.length === 1) {
    const only = values[0];
    return (text) => text === only;
  }
  const set = new Set(values);
  return (text) => text !== undefined && set.has(text);
}

/** The text contains one of the values. */
export function textContains(values: readonly string[]): TextTest {
  if (values.length === 1) {
    const only = values[0];
    return (text) => text?.includes(only) === true;
  }
  if (values.length < AUTOMATON_FROM || values.includes('')) {
    return (text) => {
      if (text === undefined) return false;
      for (const value of values) if (text.includes(value)) return true;
      return false;
    };
  }
  const found = substringAutomaton(values);
  return (text) => text !== undefined && found(text);
}

/** The text starts with one of the values. */
export function textStarts(values: readonly string[]): TextTest {
  return (text) => {
    if (text === undefined) return false;
    for (const value of values) if (text.startsWith(value)) return true;
    return false;
  };
}

/** The text ends with one of the values. */
export function textEnds(values: readonly string[]): TextTest {
  return (text) => {
    if (text === undefined) return false;
    for (const value of values) if (text.endsWith(value)) return true;
    return false;
  };
}

/** RE2 pattern found anywhere in the bytes, each byte one character (`\xff` is the byte 255). */
export function bytesMatcher(pattern: string): BytesTest {
  const test = textMatcher(pattern);
  return (bytes) => bytes !== undefined && test(latin1(bytes));
}

/** The bytes equal one of the values. */
export function bytesIn(values: readonly (readonly number[])[]): BytesTest {
  return (bytes) => {
    if (bytes === undefined) return false;
    for (const value of values) if (value.length === bytes.length && standsAt(bytes, 0, value)) return true;
    return false;
  };
}

/** The bytes contain one of the values. */
export function bytesContains(values: readonly (readonly number[])[]): BytesTest {
  return (bytes) => {
    if (bytes === undefined) return false;
    for (const value of values) if (contains(bytes, value)) return true;
    return false;
  };
}

/** The test holds for any element of a list field. */
export function anyElement<T>(test: (value: T) => boolean): (list: ArrayLike<T> | undefined) => boolean {
  return (list) => {
    if (list === undefined) return false;
    for (let i = 0; i < list.length; i++) if (test(list[i])) return true;
    return false;
  };
}

function shapeTest(shape: Shape): TextTest {
  const { values } = shape;
  switch (shape.kind) {
    case 'contains':
      return textContains(values);
    case 'starts':
      return textStarts(values);
    case 'ends':
      return textEnds(values);
    case 'equals':
      return textIn(values);
    case 'domain':
      return (text) => {
        if (text === undefined) return false;
        for (const value of values) {
          // Either the whole text, or what follows a dot.
          const before = text.length - value.length - 1;
          if (before >= -1 && text.endsWith(value) && (before < 0 || text.charCodeAt(before) === 0x2e)) return true;
        }
        return false;
      };
  }
}

function contains(bytes: Uint8Array, value: readonly number[]): boolean {
  if (value.length === 0) return true;
  const last = bytes.length - value.length;
  for (let at = bytes.indexOf(value[0]); at >= 0 && at <= last; at = bytes.indexOf(value[0], at + 1)) {
    if (standsAt(bytes, at, value)) return true;
  }
  return false;
}

function standsAt(bytes: Uint8Array, at: number, value: readonly number[]): boolean {
  for (let i = 0; i < value.length; i++) if (bytes[at + i] !== value[i]) return false;
  return true;
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]);
  return text;
}
