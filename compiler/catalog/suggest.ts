/** Near misses: what the user may have meant by a name that does not exist. */

/** Slips of the hand up to this many letters are likelier than a wrong second word. */
const SLIP = 2;

/**
 * The candidate nearest to `name`, if it is near enough to be a slip of the hand. One that begins with the same word, as
 * `QuicStream` does for `QuicHandshake`, is nearer than those that merely look alike.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const all = [...candidates];
  const found = nearestOf(name, all);
  if (found !== undefined && editDistance(name, found) <= SLIP) return found;
  const word = /^[A-Z][a-z0-9]+(?=[A-Z])/.exec(name)?.[0];
  if (word === undefined) return found;
  const alike = all.filter((one) => one.startsWith(word) && !/^[a-z]/.test(one.slice(word.length)));
  const longer = alike.filter((one) => one.startsWith(name));
  const [only] = longer.length === 1 ? longer : alike.length === 1 ? alike : [];
  return only ?? nearestOf(name, alike) ?? found;
}

function nearestOf(name: string, candidates: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  // One letter is near every other.
  const limit = wanted.length < 2 ? 0 : Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `did you mean \`tls.sni\`?`, or undefined when nothing is near. */
export function didYouMean(name: string, candidates: Iterable<string>, prefix = ''): string | undefined {
  const found = nearest(name, candidates);
  return found === undefined ? undefined : `did you mean \`${prefix}${found}\`?`;
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min(at(previous, j) + 1, at(current, j - 1) + 1, at(previous, j - 1) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, at(beforePrevious, j - 2) + 1);
      }
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
