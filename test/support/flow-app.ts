/** A program as the compiler would write it, by hand: every connection with its packets, every TLS server name. */
import { Action, END_REASON_NAMES, Rec } from '../../runtime/conntrack/layout.ts';
import { ABI_VERSION, Pkt } from '../../runtime/packet/layout.ts';
import { ProtocolNumber } from '../../runtime/protocols/contract.ts';
import type { Core, Plan, Subscription } from '../../runtime/subscription/contract.ts';

export const plan: Plan = {
  abi: ABI_VERSION,
  compiler: 'test',
  hash: '0',
  source: 'flow-app.iris',
  recordWords: 32,
  parsers: ['tls'],
  subscriptions: ['names', 'flows'],
  flowRules: JSON.parse(process.env.IRIS_TEST_FLOW_RULES ?? '[]'),
};

/** Columns: packets of the originator and of the responder. */
const PACKETS = Rec.PLAN;

export function create(core: Core): Subscription {
  const { pkt, rec } = core;
  /** On demand, more lines than a pipe holds: so many long ones for every hundred packets of a connection. */
  const chatty = Number(process.env.IRIS_TEST_CHATTY ?? 0);
  const padding = 'x'.repeat(1000);
  const actions = Action.TRACK | Action.UPDATE | Action.PARSE;
  return {
    plan,
    tracked: {
      open(c) {
        rec[c + PACKETS] = 0;
        rec[c + PACKETS + 1] = 0;
      },
      clear() {},
    },
    packetFilter: () => true,
    onL4FirstPacket: () => actions,
    update(c, p) {
      rec[c + PACKETS + pkt[p + Pkt.DIR]]++;
      if (chatty > rec[c + PACKETS] % 100) core.emit('flows', { packets: rec[c + PACKETS], padding });
      return rec[c + Rec.ACTIONS];
    },
    onL7EndHdrs(c, session) {
      if (session.proto === ProtocolNumber.TLS) {
        // What user code throws is reported; this program does so when it is asked to.
        if (process.env.IRIS_TEST_THROW !== undefined) core.userError('names', c, new Error('thrown by the program'));
        core.emit('names', { tls: session, conn: core.fiveTuple.at(c).toJSON() });
      }
      return Action.TRACK | Action.UPDATE;
    },
    onL4Terminated(c, reason) {
      core.emit('flows', {
        conn: core.fiveTuple.at(c).toJSON(),
        packets: [rec[c + PACKETS], rec[c + PACKETS + 1]],
        ended: END_REASON_NAMES[reason],
      });
    },
  };
}
