/** Says loss as soon as it happens: what ports and cores lost since the last look. */
import type { PortStats } from '../source/dpdk.ts';
import type { CoreSample } from '../stats/sample.ts';
import type { LivePorts } from './ports.ts';

const NO_BUFFER = 'no packet buffer was free: a larger mempool.capacity would help';
/** A mempool of which more than this part is in use is as good as empty: cores keep the rest in their caches. */
const DRY = 0.95;

/** Counters of lost packets, with what each means and what helps. */
const LOSSES: readonly (readonly [keyof PortStats, string])[] = [
  ['imissed', 'its queue was full: more cores, or a larger online.nb_rxd, would help'],
  ['rxNombuf', NO_BUFFER],
  ['socketDrops', 'the ring of its packet socket was full: more cores, or a larger framecnt, would help'],
  ['ierrors', 'the device reported errors'],
];

/** The same of a core: what it lost, in the plural, and why. */
const CORE_LOSSES: readonly (readonly ['refused' | 'evicted' | 'oversize' | 'linesDropped', string, string])[] = [
  ['refused', 'connections', 'its table was full: a larger conntrack.max_connections would help'],
  ['evicted', 'connections', 'its table was full, and they gave way: a larger conntrack.max_connections would help'],
  ['oversize', 'packets', 'they were longer than 65,536 bytes'],
  [
    'linesDropped',
    'lines of the output',
    'its reader is slower than what it is sent: --out FILE, or fewer lines, would help',
  ],
];

/** Names in the summary. */
const NAMES: Readonly<Partial<Record<keyof PortStats, string>>> = {
  imissed: 'missed',
  rxNombuf: 'no_buffer',
  socketDrops: 'socket_drops',
  ierrors: 'errors',
};

/** The first loss is said at once; when it goes on, there is a sentence after this time, then ever less often. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 10_000;

/** Packets that a port lost, by the name of the counter; those that are zero are left out. */
export function lostOf(stats: PortStats): Record<string, number> {
  return Object.fromEntries(LOSSES.filter(([key]) => stats[key] > 0).map(([key]) => [NAMES[key] ?? key, stats[key]]));
}

export interface LossWatch {
  /** One sentence for each counter that grew since it was last spoken of. `now` in milliseconds, of any clock. */
  look(now?: number): string[];
}

export function createLossWatch(
  live: Pick<LivePorts, 'ports' | 'stats'>,
  cores: () => readonly CoreSample[] = () => [],
): LossWatch {
  const said = new Map<string, { lost: number; until: number; pause: number }>();

  function tell(who: string, key: string, what: string, lost: number, why: string, now: number): string[] {
    const last = said.get(`${who} ${key}`);
    const more = lost - (last?.lost ?? 0);
    if (more <= 0 || (last !== undefined && now < last.until)) return [];
    const pause = last === undefined ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, last.pause * 2);
    said.set(`${who} ${key}`, { lost, until: now + pause, pause });
    const all = last === undefined ? '' : ` (${lost.toLocaleString('en-US')} since the start)`;
    return [`${who} lost ${more.toLocaleString('en-US')} ${what}${all}: ${why}`];
  }

  return {
    look(now = performance.now()) {
      const samples = cores();
      // Drivers that find no buffer (af_packet) leave packets where they are until there is no room either.
      const dry = samples.some(({ mempool: { inUse, capacity } }) => capacity > 0 && inUse > DRY * capacity);
      const ports = live.ports.flatMap((port) => {
        const stats = live.stats(port);
        return LOSSES.flatMap(([key, why]) =>
          // net_pcap counts every poll of a file that cannot be read; the end of the run tells it once.
          key === 'ierrors' && port.driver === 'net_pcap'
            ? []
            : tell(port.name, key, 'packets', stats[key], dry && key !== 'ierrors' ? NO_BUFFER : why, now),
        );
      });
      const own = samples.flatMap((core) =>
        CORE_LOSSES.flatMap(([key, what, why]) => tell(`core ${core.core}`, key, what, core[key], why, now)),
      );
      return [...ports, ...own];
    },
  };
}
