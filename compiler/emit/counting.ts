/** The statements that count in a module that explains its run (`iris run --explain`). */
import {
  FIRST_HIT,
  Figure,
  figureOf,
  type InstrumentStage,
  stageNumber,
} from '../../runtime/subscription/instruments.ts';
import type { ProgramPlan } from '../plan/plan.ts';
import { numberProbes } from '../plan/probes.ts';
import type { Arm } from '../plan/tree.ts';
import type { Scope } from './scope.ts';

export interface Counting {
  /** Set-up of `create`. */
  readonly setUp: readonly string[];
  /** Members of the subscription that only such modules have. */
  readonly members: readonly string[];
  /** An arm of a tree was taken. */
  arm(arm: Arm): string;
  /** The packet filter is asked about row `p`. */
  readonly offered: readonly string[];
  /** It keeps row `p` out. */
  readonly keptOut: readonly string[];
  /** A stage is asked that always keeps the connection. */
  asked(stage: InstrumentStage): string;
  /** A stage is asked, and this is its answer about connection `c`: an expression of the same value. */
  answer(stage: InstrumentStage, actions: string): string;
  /** Protocol `proto` was found. */
  readonly found: string;
}

/** The counters of a plan. All are elements of one array at constant places. */
export function countingOf(plan: ProgramPlan, scope: Scope): Counting {
  const numbers = numberProbes(plan);
  const filter = (figure: Figure): string => `hits[${figureOf(stageNumber('packetFilter'), figure)}]`;
  const wireLength = `${scope.column('pktWirelen')}[p]`;
  const create = scope.value('iris-ts/runtime', 'createInstruments');
  return {
    setUp: [`const { hits, answered, foundProtocol, onLate } = ${create}(core, plan.recordWords, ${numbers.size})`],
    members: ['onLate'],
    arm: (arm) => `hits[${FIRST_HIT + (numbers.get(arm) ?? 0)}]++`,
    offered: [`${filter(Figure.ASKED)}++`, `hits[0] += ${wireLength}`],
    keptOut: [`${filter(Figure.LET_GO)}++`, `${filter(Figure.BYTES)} += ${wireLength}`],
    asked: (stage) => `hits[${figureOf(stageNumber(stage), Figure.ASKED)}]++`,
    answer: (stage, actions) => `answered(${stageNumber(stage)}, c, ${actions})`,
    found: 'foundProtocol(proto)',
  };
}
