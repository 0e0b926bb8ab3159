import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { summaryText } from '../../../runtime/cli/summary.ts';
import { Counter, createCounters } from '../../../runtime/stats/counters.ts';

const test = suite('cli/summary');

test('says what came in, what became of it, and what was lost', () => {
  const counters = createCounters();
  counters[Counter.NOT_IP] = 3;
  counters[Counter.CONNS_OPENED] = 1500;
  counters[Counter.ENDED_FIN] = 1400;
  counters[Counter.ENDED_DRAIN] = 100;
  counters[Counter.L7_SESSIONS] = 12;
  counters[Counter.CONNS_REFUSED] = 5;
  assert.is(
    summaryText({
      packets: 2_500_000,
      bytes: 3_000_000_000,
      seconds: 2,
      counters,
      delivered: new Map([
        ['flows', 1500],
        ['never', 0],
      ]),
      userErrors: new Map([['video', 2]]),
      lost: { imissed: 0, no_mbuf: 7 },
      stopped: 'SIGINT',
    }),
    [
      'packets        2,500,000, 3 GB in 2.000 s (1.25 Mpps, 12 Gbps)',
      'stopped        SIGINT',
      'no tcp or udp  not_ip 3',
      'connections    1,500, ended by fin 1,400, drain 100',
      'sessions       12',
      'lines          flows 1,500',
      'user errors    video 2',
      'given up       5 connections not tracked: the table was full (max_connections)',
      'LOST           no_mbuf 7',
      '',
    ].join('\n'),
  );
});

test('names what was lost on the way to connections and streams, and the settings that decide', () => {
  const counters = createCounters();
  counters[Counter.MIDSTREAM_PACKETS] = 1234;
  counters[Counter.STREAM_GAPS] = 3;
  counters[Counter.STREAM_GAP_BYTES] = 4380;
  counters[Counter.REASSEMBLY_TIMEOUTS] = 1;
  counters[Counter.DATAGRAMS_REASSEMBLED] = 7;
  counters[Counter.FRAGMENTS_DROPPED] = 2;
  counters[Counter.MALFORMED] = 4;
  const run = { packets: 1, bytes: 1, seconds: 1, delivered: new Map(), userErrors: new Map(), lost: {} };
  assert.equal(
    summaryText({ ...run, counters })
      .split('\n')
      .slice(1),
    [
      'fragments    datagrams reassembled 7, fragments dropped 2',
      'malformed    4 packets whose headers promise more than was on the wire',
      'connections  0',
      'not opened   1,234 packets of TCP connections under way (init_synack, init_fin, init_rst, init_data)',
      'streams      gaps 3, bytes lost in them 4,380, given up by tcp_reassembly_timeout 1',
      'lines        0',
      '',
    ],
  );
});

test('an empty run has no division by zero', () => {
  const text = summaryText({
    packets: 0,
    bytes: 0,
    seconds: 0,
    counters: createCounters(),
    delivered: new Map(),
    userErrors: new Map(),
    lost: {},
  });
  assert.is(text, 'packets      0, 0 B in 0.000 s (0 pps, 0 bps)\nconnections  0\nlines        0\n');
});

test.run();
