/**
 * Directions of streams that wait for missing bytes, by the time since when: a heap, as a direction whose hole was filled
 * may wait for another one that is older than what others wait for. Those that wait since one time come by their numbers,
 * whatever else is in it. Each may stand in it once.
 */
export interface HoleQueue {
  /** Direction `entry` waits since `since`, in seconds since 1970. */
  add(entry: number, since: number): void;
  /** Since when the direction waits that {@link take} would return; infinite when there is none. */
  oldest(): number;
  /** Takes out the direction that waits longest. There must be one. */
  take(): number;
}

export function createHoleQueue(): HoleQueue {
  let entries = new Int32Array(1024);
  let times = new Float64Array(1024);
  let size = 0;

  function grow(): void {
    const [moreEntries, moreTimes] = [new Int32Array(size * 2), new Float64Array(size * 2)];
    moreEntries.set(entries);
    moreTimes.set(times);
    entries = moreEntries;
    times = moreTimes;
  }

  function move(from: number, to: number): void {
    entries[to] = entries[from];
    times[to] = times[from];
  }

  /** Whether `entry`, which waits since `since`, comes before the one at `other`. */
  function isBefore(entry: number, since: number, other: number): boolean {
    return since < times[other] || (since === times[other] && entry < entries[other]);
  }

  return {
    add(entry, since) {
      if (size === entries.length) grow();
      let at = size++;
      for (let up = (at - 1) >> 1; at > 0 && isBefore(entry, since, up); up = (at - 1) >> 1) {
        move(up, at);
        at = up;
      }
      entries[at] = entry;
      times[at] = since;
    },
    oldest: () => (size === 0 ? Number.POSITIVE_INFINITY : times[0]),
    take() {
      const first = entries[0];
      size--;
      const entry = entries[size];
      const since = times[size];
      let at = 0;
      for (let down = 1; down < size; down = 2 * at + 1) {
        if (down + 1 < size && isBefore(entries[down + 1], times[down + 1], down)) down++;
        if (isBefore(entry, since, down)) break;
        move(down, at);
        at = down;
      }
      move(size, at);
      return first;
    },
  };
}
