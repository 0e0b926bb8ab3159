/** The progress of a run over a capture: one line that is drawn again every half second, on a terminal only. */
import { clock, scaled, whole } from '../stats/monitor-text.ts';
import { createScreen } from './screen.ts';

const INTERVAL_MS = 500;

export interface Progress {
  readonly packets: number;
  readonly bytes: number;
  readonly connections: number;
  /** How much of the capture has been read, 0..1; undefined where its end is not known (pipes, packed files). */
  readonly part?: number | undefined;
}

const BAR_WIDTH = 20;

/** A bar of {@link BAR_WIDTH} characters and the per cent, such as `[#####---------------]  27 %`. */
export function progressBar(part: number): string {
  const within = Math.min(1, Math.max(0, part));
  const full = Math.floor(within * BAR_WIDTH);
  const percent = String(Math.floor(within * 100)).padStart(3);
  return `[${'#'.repeat(full)}${'-'.repeat(BAR_WIDTH - full)}] ${percent} %`;
}

/**
 * Draws until the returned function is called, which wipes the line. Nothing is drawn where the standard error is no
 * terminal, or where the run's lines go to the same one (`toTerminal`).
 */
export function startProgress(read: () => Progress, toTerminal: boolean): () => void {
  const screen = createScreen(process.stderr, { json: false, output: { isTTY: toTerminal } });
  if (!screen.table) return () => {};
  const started = performance.now();
  const timer = setInterval(() => {
    const seconds = (performance.now() - started) / 1000;
    const { packets, bytes, connections, part } = read();
    const parts = [
      `iris  ${clock(seconds)}`,
      ...(part === undefined ? [] : [progressBar(part)]),
      `${whole(packets)} packets`,
      scaled(bytes, 'B'),
      scaled(packets / seconds, 'pps'),
      `${whole(connections)} connections`,
    ];
    screen.draw([parts.join('   ')]);
  }, INTERVAL_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    screen.draw([]);
  };
}
