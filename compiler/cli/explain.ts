/** The verb `explain`: what a filter will do, stage by stage. */
import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { printError } from '../../runtime/cli/print-error.ts';
import { ExitCode } from '../../runtime/errors.ts';
import type { Compilation } from '../compile.ts';
import { fullText } from '../plan/atom.ts';
import { outlinePlan, type RunFigures, unitName } from '../plan/outline.ts';
import { ownersOf } from '../plan/parts.ts';
import type { ProgramPlan } from '../plan/plan.ts';
import { compilePath } from './compile.ts';
import { outlineDot, outlineMermaid, outlineSvg, outlineText } from './explain-formats.ts';
import { formatDiagnostics, wantsColor } from './print-diagnostics.ts';

const STAGES = ['ast', 'typed', 'dnf', 'plan', 'view'] as const;
type Stage = (typeof STAGES)[number];

interface Flags {
  readonly dot: boolean;
  readonly mermaid: boolean;
  readonly svg: boolean;
  readonly stage?: Stage;
}

const EXAMPLES = `
Examples:
  $ iris explain sni.iris                   the decisions of every stage, as text
  $ iris explain --svg sni.iris > sni.svg   a picture of them
  $ iris explain --stage dnf sni.iris       every subscription as alternatives of conjunctions

\`iris run --explain sni.iris\` tells how often each decision was taken.`;

/** The command. Its action sets `process.exitCode`. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('Print what a filter does at every stage of a connection, and what the tracker does for it.')
    .argument('<file>', 'filter file (.iris)')
    .option('--dot', 'as a Graphviz graph', false)
    .option('--mermaid', 'as a Mermaid flow chart', false)
    .option('--svg', 'as a picture', false)
    .addOption(new Option('--stage <stage>', 'what one stage of the compiler made of it').choices(STAGES))
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: Flags) => {
      process.exitCode = await explain(file, flags);
    });
}

async function explain(file: string, flags: Flags): Promise<number> {
  try {
    const compilation = compilePath(file);
    const { plan, diagnostics } = compilation;
    if (diagnostics.length > 0) {
      process.stderr.write(formatDiagnostics(diagnostics, { color: wantsColor(process.stderr, process.env) }));
    }
    const text = flags.stage === undefined ? undefined : explainStage(compilation, flags.stage);
    if (text !== undefined) process.stdout.write(text);
    else if (plan === undefined) return ExitCode.USAGE;
    else process.stdout.write(await explainPlan(basename(file), plan, flags));
    return plan === undefined ? ExitCode.USAGE : ExitCode.OK;
  } catch (error) {
    return printError(error);
  }
}

async function explainPlan(name: string, plan: ProgramPlan, flags: Flags): Promise<string> {
  const stages = outlinePlan(plan);
  if (flags.dot) return outlineDot(name, stages);
  if (flags.mermaid) return outlineMermaid(stages);
  if (flags.svg) return outlineSvg(name, stages);
  return explainText(name, plan);
}

/** The text that `iris explain` prints without options; with the figures of a run what `iris run --explain` prints. */
export function explainText(name: string, plan: ProgramPlan, figures?: RunFigures): string {
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  const parsers = plan.parsers.length === 0 ? 'no parsers' : `parsers: ${plan.parsers.map((p) => p.name).join(', ')}`;
  const subscriptions = ownersOf(plan.program);
  const head = `${name}: ${count(subscriptions.length, 'subscription')}, ${count(plan.threads.length, 'thread')}, ${parsers}`;
  return `${head}\n\n${outlineText(outlinePlan(plan, figures))}`;
}

/** The result of one stage as text; undefined if the source did not get that far. */
export function explainStage(compilation: Compilation, stage: Stage): string | undefined {
  if (stage === 'dnf') return compilation.plan === undefined ? undefined : dnfText(compilation.plan);
  const result = compilation[stage];
  return result === undefined ? undefined : `${JSON.stringify(result, plain, 2)}\n`;
}

/** The patterns of every delivery. */
function dnfText(plan: ProgramPlan): string {
  const lines = plan.deliveries.flatMap(({ subscription, level, patterns }) => [
    `${unitName(plan, subscription)} at ${level}`,
    ...patterns.map((pattern, i) => `  ${i === 0 ? '  ' : 'or'} ${fullText(pattern)}`),
  ]);
  return `${lines.join('\n')}\n`;
}

/** Catalog entries by name, big numbers as text, maps as lists. */
function plain(key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`;
  if (value instanceof Map) return [...value];
  if (typeof value !== 'object' || value === null) return value;
  if (key === 'file' && 'path' in value) return value.path;
  if (key === 'world') return undefined;
  if ((key === 'protocol' || key === 'field') && 'name' in value && 'doc' in value) return value.name;
  if (!Array.isArray(value) && 'fields' in value && 'layer' in value && 'doc' in value && 'name' in value)
    return value.name;
  return value;
}
