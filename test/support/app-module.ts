/** Small programs as iris-compile would write them, but by hand: for tests of the command line that need no compiler. */
import { Action } from '../../runtime/conntrack/layout.ts';
import { ABI_VERSION } from '../../runtime/packet/layout.ts';

export interface ModuleOptions {
  readonly abi?: number;
  readonly parsers?: readonly string[];
  /** Statements of `onL4Terminated(c, reason)`. */
  readonly terminated?: string;
}

/** A module that takes every TCP and UDP connection and, at its end, emits `flows` with its ports. */
export function appModule(options: ModuleOptions = {}): string {
  const terminated = options.terminated ?? "core.emit('flows', { ports: core.rec[c + 2] >>> 0, reason })";
  return `export const plan = {
  abi: ${options.abi ?? ABI_VERSION}, compiler: '0.1.0', hash: 'test', source: 'flows.iris', recordWords: 16,
  parsers: ${JSON.stringify(options.parsers ?? [])}, subscriptions: ['flows'], flowRules: [],
}
export function create(core) {
  return {
    plan,
    tracked: { open() {}, clear() {} },
    packetFilter: () => true,
    onL4FirstPacket: () => ${Action.TRACK},
    onL4Terminated(c, reason) {
      try {
        ${terminated}
      } catch (error) {
        core.userError('flows', c, error)
      }
    },
  }
}
`;
}
