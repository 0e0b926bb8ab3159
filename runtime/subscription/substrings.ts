/**
 * Finds whether a text contains any of many strings, in one pass whatever their number: the automaton of Aho and Corasick
 * ("Efficient string matching", CACM 18(6), 1975) as one table of next states. Hot: called per session.
 */

/** Bits of an entry that say "a value ends here"; the rest is the next state. */
const FOUND = 1 << 30;

/** A test for texts that contain any of `values`; none of them may be empty. */
export function substringAutomaton(values: readonly string[]): (text: string) => boolean {
  // Characters that occur in no value share class 0.
  const classes = new Map<number, number>();
  for (const value of values) {
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (!classes.has(code)) classes.set(code, classes.size + 1);
    }
  }
  const width = classes.size + 1;
  const low = new Int32Array(128);
  for (const [code, number] of classes) if (code < 128) low[code] = number;

  const { next, accepting, states } = trie(values, classes, width);
  const table = complete(next, accepting, states, width);

  return (text) => {
    let state = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      const entry = table[state + (code < 128 ? low[code] : (classes.get(code) ?? 0))];
      if ((entry & FOUND) !== 0) return true;
      state = entry;
    }
    return false;
  };
}

interface Trie {
  /** `state * width + class` -> state; 0 where there is no edge. */
  readonly next: Int32Array;
  readonly accepting: Uint8Array;
  readonly states: number;
}

function trie(values: readonly string[], classes: ReadonlyMap<number, number>, width: number): Trie {
  const most = values.reduce((sum, value) => sum + value.length, 1);
  const next = new Int32Array(most * width);
  const accepting = new Uint8Array(most);
  let states = 1;
  for (const value of values) {
    let state = 0;
    for (let i = 0; i < value.length; i++) {
      const edge = state * width + (classes.get(value.charCodeAt(i)) ?? 0);
      if (next[edge] === 0) next[edge] = states++;
      state = next[edge];
    }
    accepting[state] = 1;
  }
  return { next, accepting, states };
}

/** Fills in where each state goes when its own edges fail, breadth first; entries are premultiplied by `width`. */
function complete(next: Int32Array, accepting: Uint8Array, states: number, width: number): Int32Array {
  const table = new Int32Array(states * width);
  const fail = new Int32Array(states);
  const queue = [0];
  for (const state of queue) {
    accepting[state] |= accepting[fail[state]];
    for (let k = 1; k < width; k++) {
      const child = next[state * width + k];
      const fallback = state === 0 ? 0 : next[fail[state] * width + k];
      if (child === 0) {
        next[state * width + k] = fallback;
      } else {
        fail[child] = fallback;
        queue.push(child);
      }
    }
  }
  for (let i = 0; i < states * width; i++) {
    const to = next[i];
    table[i] = accepting[to] === 1 ? FOUND : to * width;
  }
  return table;
}
