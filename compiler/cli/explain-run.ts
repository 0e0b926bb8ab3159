/**
 * `iris run --explain`: runs a filter compiled with counters in it, and prints its decisions with how often each was taken
 * and what every stage let go of; on a terminal also while it runs.
 */
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { ExitCode, IrisError } from '../../runtime/errors.ts';
import {
  FIRST_HIT,
  Figure,
  figureOf,
  INSTRUMENT_CHANNEL,
  INSTRUMENT_STAGES,
  protocolFigure,
} from '../../runtime/subscription/instruments.ts';
import type { RunFigures } from '../plan/outline.ts';
import type { ProgramPlan } from '../plan/plan.ts';
import { numberProbes } from '../plan/probes.ts';
import { compileInstrumented } from './compile.ts';
import { explainText } from './explain.ts';

/** Between two printings on a terminal. */
const EVERY_MS = 5000;

/** Compiles the filter with counters, runs the module that `run` is given the path of, and prints what was counted. */
export async function explainRun(program: string, run: (module: string) => Promise<number>): Promise<number> {
  if (!program.endsWith('.iris')) {
    throw new IrisError(
      ExitCode.USAGE,
      `${program}: only a filter file can be explained as it runs`,
      'give the .iris file: it is compiled with counters, and thrown away afterwards',
    );
  }
  const { js, plan } = await compileInstrumented(program);
  const folder = mkdtempSync(join(tmpdir(), 'iris-explain-'));
  const counts: Float64Array[] = [];
  const channel = new BroadcastChannel(INSTRUMENT_CHANNEL);
  channel.onmessage = ({ data }: { readonly data: unknown }): void => {
    if (data instanceof SharedArrayBuffer) counts.push(new Float64Array(data));
  };
  const print = (): void => void process.stderr.write(`\n${explainText(basename(program), plan, addUp(counts, plan))}`);
  const timer = process.stderr.isTTY ? setInterval(print, EVERY_MS) : undefined;
  try {
    const module = join(folder, `${basename(program)}.mjs`);
    writeFileSync(module, js);
    offerPackages(dirname(resolve(program)), folder);
    const code = await run(module);
    // What cores said last is still in the channel.
    await new Promise((done) => setTimeout(done, 0));
    print();
    return code;
  } finally {
    clearInterval(timer);
    channel.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Packages that the filter's own files import are found from the temporary folder too. */
function offerPackages(from: string, folder: string): void {
  for (let at = from; ; at = dirname(at)) {
    const packages = join(at, 'node_modules');
    const there = existsSync(packages);
    if (there) symlinkSync(packages, join(folder, 'node_modules'), 'dir');
    if (there || at === dirname(at)) return;
  }
}

/** The figures of all cores together. */
export function addUp(counts: readonly Float64Array[], plan: ProgramPlan): RunFigures {
  const at = (word: number): number => counts.reduce((sum, one) => sum + (one[word] ?? 0), 0);
  const numbers = numberProbes(plan);
  const bytes = at(0);
  const [packets, connections] = [0, 1].map((stage) => at(figureOf(stage, Figure.ASKED))) as [number, number];
  return {
    hitsOf: (arm) => at(FIRST_HIT + (numbers.get(arm) ?? 0)),
    found: (protocol) => at(protocolFigure(protocol)),
    stage(name) {
      const stage = (INSTRUMENT_STAGES as readonly string[]).indexOf(name);
      const base = figureOf(stage, Figure.ASKED);
      const asked = at(base + Figure.ASKED);
      if (stage < 0 || asked === 0) return 'never asked';
      const kept = at(base + (stage === 0 ? Figure.LET_GO : Figure.PACKETS));
      const saved = `${share(kept, packets, 'packets')} and ${share(at(base + Figure.BYTES), bytes, 'bytes')}`;
      if (stage === 0) return `asked ${number(asked)} times; keeps out ${saved}`;
      const gone = share(at(base + Figure.LET_GO), connections, 'connections');
      return `asked ${number(asked)} times; lets go of ${gone}, and with them ${saved}`;
    },
  };
}

const number = (n: number): string => n.toLocaleString('en');

function share(part: number, whole: number, what: string): string {
  const percent = whole === 0 ? 0 : (100 * part) / whole;
  return `${number(part)} ${what} (${percent.toFixed(percent < 10 ? 1 : 0)} %)`;
}
