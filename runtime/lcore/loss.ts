/** Says packet loss as soon as it happens: what the ports' counters lost since the last look. */
import type { PortStats } from '../source/dpdk.ts';
import type { LivePort, LivePorts } from './ports.ts';

/** Counters of lost packets, with what each means and what helps. */
const LOSSES: readonly (readonly [keyof PortStats, string])[] = [
  ['imissed', 'its queue was full: more cores, or a larger online.nb_rxd, would help'],
  ['rxNombuf', 'no packet buffer was free: a larger mempool.capacity would help'],
  ['socketDrops', 'the ring of its packet socket was full: more cores, or a larger framecnt, would help'],
  ['ierrors', 'the device reported errors'],
];

/** Names in the summary. */
const NAMES: Readonly<Partial<Record<keyof PortStats, string>>> = {
  imissed: 'missed',
  rxNombuf: 'no_buffer',
  socketDrops: 'socket_drops',
  ierrors: 'errors',
};

/** Packets that a port lost, by the name of the counter; those that are zero are left out. */
export function lostOf(stats: PortStats): Record<string, number> {
  return Object.fromEntries(LOSSES.filter(([key]) => stats[key] > 0).map(([key]) => [NAMES[key] ?? key, stats[key]]));
}

export interface LossWatch {
  /** One sentence for each port and counter that grew since the last look. */
  look(): string[];
}

export function createLossWatch(live: Pick<LivePorts, 'ports' | 'stats'>): LossWatch {
  const seen = new Map<LivePort, PortStats>();
  return {
    look() {
      const sentences: string[] = [];
      for (const port of live.ports) {
        const stats = live.stats(port);
        const before = seen.get(port);
        seen.set(port, stats);
        for (const [key, why] of LOSSES) {
          const lost = stats[key] - (before?.[key] ?? 0);
          // net_pcap counts every poll of a file that cannot be read; the end of the run tells it once.
          if (lost <= 0 || (key === 'ierrors' && port.driver === 'net_pcap')) continue;
          sentences.push(`${port.name} lost ${lost.toLocaleString('en-US')} packets: ${why}`);
        }
      }
      return sentences;
    },
  };
}
