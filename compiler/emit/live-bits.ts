/** The live bits of threads: their names, and the code that tests, sets and clears them over one or more words. */
import type { Thread } from '../plan/threads.ts';
import { LINE } from './text.ts';
import type { ConstantView } from './view.ts';

export class LiveBits {
  readonly words: number;
  readonly #names: ReadonlyMap<number, string>;
  readonly #views: readonly ConstantView[];

  /** `name` and `comment` give each thread its constant. */
  constructor(threads: readonly Thread[], name: (thread: Thread) => string, comment: (thread: Thread) => string) {
    this.words = Math.max(1, Math.ceil(threads.length / 32));
    const names = new Map<number, string>();
    this.#views = threads.map((thread) => {
      const own = name(thread);
      names.set(thread.id, own);
      return { name: own, value: `1 << ${thread.id & 31}`, comment: comment(thread) };
    });
    this.#names = names;
  }

  constants(): readonly ConstantView[] {
    return this.#views;
  }

  /** The local that holds a word of bits: `live`, `live1`, … or `hit`, `hit1`, …. */
  local(base: string, word: number): string {
    return word === 0 ? base : `${base}${word}`;
  }

  /** The locals of all words. */
  locals(base: string): readonly string[] {
    return Array.from({ length: this.words }, (_, word) => this.local(base, word));
  }

  /** The names of threads in one word, or'ed; undefined when there are none. */
  mask(threads: readonly Thread[], word: number): string | undefined {
    const names = threads.filter((t) => t.id >> 5 === word).map((t) => this.#names.get(t.id) ?? '0');
    return names.length === 0 ? undefined : names.join(' | ');
  }

  #byWord(
    threads: readonly Thread[],
  ): readonly { readonly word: number; readonly mask: string; readonly single: boolean }[] {
    const out: { word: number; mask: string; single: boolean }[] = [];
    for (let word = 0; word < this.words; word++) {
      const mask = this.mask(threads, word);
      if (mask !== undefined) out.push({ word, mask, single: !mask.includes('|') });
    }
    return out;
  }

  /** Whether any of the threads is alive. */
  any(base: string, threads: readonly Thread[]): string {
    const parts = this.#byWord(threads).map(({ word, mask, single }) => {
      return `(${this.local(base, word)} & ${single ? mask : `(${mask})`})`;
    });
    if (parts.length === 0) return 'false';
    return parts.length === 1 ? `${parts[0]} !== 0` : `(${parts.join(' | ')}) !== 0`;
  }

  /** Statements that set the bits. */
  set(base: string, threads: readonly Thread[]): readonly string[] {
    return this.#byWord(threads).map(({ word, mask }) => wrap(`${this.local(base, word)} |= ${mask}`));
  }

  /** Statements that clear the bits. */
  clear(base: string, threads: readonly Thread[]): readonly string[] {
    return this.#byWord(threads).map(({ word, mask, single }) =>
      wrap(`${this.local(base, word)} &= ~${single ? mask : `(${mask})`}`),
    );
  }
}

/** Breaks a long mask behind its bars. */
function wrap(line: string): string {
  if (line.length <= LINE) return line;
  const out: string[] = [];
  let current = '';
  for (const part of line.split(/(?<= \|) /)) {
    if (current !== '' && current.length + part.length > LINE) {
      out.push(current);
      current = `  ${part}`;
    } else current = current === '' ? part : `${current} ${part}`;
  }
  return [...out, current].join('\n');
}
