/** How a look at a run is worded: table, line, JSON, CSV; and what is read from a worker's shared memory. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Counter, createCounters } from '../../../runtime/stats/counters.ts';
import { CORE_COLUMNS, coreLine, csvLine, portColumns, portLine } from '../../../runtime/stats/csv-log.ts';
import { createLivePublisher, liveBuffer } from '../../../runtime/stats/live.ts';
import { clock, sampleJson, sampleLine, scaled, tableLines } from '../../../runtime/stats/monitor-text.ts';
import { type Sample, sampleCore, totalsOf } from '../../../runtime/stats/sample.ts';

const test = suite('monitor text');

const SUBSCRIPTIONS = ['names', 'flows'];

/** A look at one core and one port, `times` the amounts. */
function look(seconds: number, times: number): Sample {
  const counters = createCounters();
  counters[Counter.FILTERED_OUT] = 100 * times;
  counters[Counter.TRACKED_PACKETS] = 900 * times;
  counters[Counter.CONNS_OPENED] = 50 * times;
  counters[Counter.ENDED_FIN] = 20 * times;
  counters[Counter.CONNS_EVICTED] = 2 * times;
  counters[Counter.CONNS_UNWANTED] = 3 * times;
  counters[Counter.CONNS_DROPPED] = 5 * times;
  counters[Counter.L7_SESSIONS] = 7 * times;
  const live = new Float64Array(liveBuffer(SUBSCRIPTIONS.length));
  createLivePublisher(live, SUBSCRIPTIONS, {
    stats: () => ({ packets: 1000 * times, bytes: 600_000 * times, lost: { oversize: times > 1 ? 4 : 0 } }),
    sampledOut: () => 11 * times,
    linesDropped: () => 13 * times,
    delivered: new Map([
      ['names', 6 * times],
      ['flows', 20 * times],
    ]),
    userErrors: new Map([['names', times]]),
  })();
  const mempool = { capacity: 8191, inUse: 819 };
  return {
    seconds,
    cores: [sampleCore({ core: 3, counters, live, subscriptions: SUBSCRIPTIONS, mempool })],
    ports: [
      {
        name: 'net_x0',
        driver: 'net_x',
        stats: {
          ipackets: 1000 * times,
          ibytes: 600_000 * times,
          imissed: times > 1 ? 10 : 0,
          ierrors: 1,
          rxNombuf: 0,
          socketDrops: 3,
        },
        hardwareFiltered: undefined,
        xstats: { rx_good_packets: 1000 * times, tx_good_packets: 0 },
      },
    ],
  };
}

const EVERYTHING = { throughput: true, mempoolUsage: true, portStats: ['rx_'] };

test('a worker’s shared memory as a sample', () => {
  const [core] = look(1, 1).cores;
  assert.is(core.packets, 1000);
  assert.is(core.connections, 50 - 20 - 2 - 3 - 5);
  assert.is(core.ended, 22);
  assert.equal(core.delivered, [
    ['names', 6],
    ['flows', 20],
  ]);
  assert.is(core.userErrors, 1);
  assert.is(core.sampledOut, 11);
  assert.is(core.linesDropped, 13);
  const totals = totalsOf(look(1, 2));
  assert.is(totals.lostInPorts, 14);
  assert.is(totals.lostInCores, 4);
  assert.is(totals.delivered, 52);
});

test('the table of a terminal', () => {
  assert.equal(tableLines(look(3723, 3), look(3722, 1), EVERYTHING), [
    'iris  01:02:03   2.00 kpps   9.60 Mbps   60 connections   LOST 18 packets (0.6 %)   DROPPED 39 lines',
    'core        pps        bps  packets  filtered  processed  connections  sessions  delivered  mempool',
    '3     2.00 kpps  9.60 Mbps    3,000       300      2,700           60        21         78   10.0 %',
    'port    packets in  bytes in  filtered in hw  dropped in hw  dropped in sw',
    'net_x0       3,010   1.80 MB               -             11              3',
    '  net_x0 rx_good_packets 3,000',
  ]);
  const [head, ...rest] = tableLines(look(1, 1), look(0, 1), { throughput: false, mempoolUsage: false, portStats: [] });
  assert.is(head, 'iris  00:00:01   20 connections   LOST 4 packets (0.4 %)   DROPPED 13 lines');
  assert.not.match(rest.join(), /pps|mempool|rx_good/);
});

test('a line where there is no terminal', () => {
  assert.is(
    sampleLine(look(2, 3), look(1, 1), EVERYTHING),
    'iris: 00:00:02, 2.00 kpps, 9.60 Mbps, packets 3,000, filtered 300, processed 2,700, connections 60, delivered 78, ' +
      'mempool 10.0 %, lost 18, lines DROPPED 39, net_x0 rx_good_packets 3,000\n',
  );
});

test('JSON for machines', () => {
  const text = sampleJson(look(2, 3), look(1, 1));
  assert.is(text.indexOf('\n'), text.length - 1);
  const record = JSON.parse(text);
  assert.is(record.kind, 'monitor');
  assert.is(record.pps, 2000);
  assert.is(record.bps, 9_600_000);
  assert.equal(record.cores[0].delivered, { names: 18, flows: 60 });
  assert.is(record.cores[0].counters, undefined);
  assert.is(record.ports[0].lost, 14);
  assert.is(record.ports[0].hardware_filtered, undefined);
});

test('CSV: columns are fixed by the first look, fields are quoted as RFC 4180 has it', () => {
  const { ports, cores } = look(1, 1);
  const columns = portColumns(ports[0], ['rx']);
  assert.is(
    columns.join(),
    'ts,packets,bytes,missed,errors,no_buffer,socket_drops,hardware_filtered,rx_good_packets,mempool_avail_cnt,mempool_inuse_cnt',
  );
  const mempool = { capacity: 10, inUse: 4 };
  assert.is(portLine(999.6, ports[0], mempool, columns), '1000,1000,600000,0,1,0,3,-,1000,6,4\n');
  assert.is(portLine(0, { ...ports[0], xstats: {} }, mempool, columns), '0,1000,600000,0,1,0,3,-,-,6,4\n');
  const line = coreLine(5, cores[0]);
  assert.is(line, '5,1000,600000,100,900,20,50,22,7,26,1,0,2,0,11,13,7372,819\n');
  assert.is(line.split(',').length, CORE_COLUMNS.length);
  assert.is(csvLine(['a,b', 'c"d', 1]), '"a,b","c""d",1\n');
});

test('amounts', () => {
  assert.is(scaled(0, 'pps'), '0 pps');
  assert.is(scaled(1.5, 'B'), '1.50 B');
  assert.is(scaled(999_600, 'B'), '1.00 MB');
  assert.is(scaled(12_345, 'B'), '12.3 kB');
  assert.is(scaled(5e15, 'B'), '5000.00 TB');
  assert.is(clock(359_999.9), '99:59:59');
});
test.run();
