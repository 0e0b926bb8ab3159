/**
 * User code over captures of the corpus: streaming filters and callbacks, grouped callbacks, "no more" said at every level,
 * one thing counted by a class and by a function, conditions that never hold. Skipped where there is no corpus.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { corpus, corpusEntries, readTruth } from '../support/corpus.ts';
import { LIMIT } from './programs/streaming.ts';
import { byConnection, type Call, compilePrograms } from './scenario.ts';

const folder = corpus();
const test = suite('scenarios of user code');
const scenario = folder === undefined ? test.skip : test;
const programs =
  folder === undefined ? undefined : compilePrograms('streaming', 'grouped', 'silence', 'never', 'context');

const CAPTURES = ['iris-tls_ciphers.pcap', 'ndpi-alexa-app.pcapng', 'zeek-get.pcap'];

async function runAll(program: string): Promise<readonly (readonly Call[])[]> {
  const all: (readonly Call[])[] = [];
  for (const capture of CAPTURES) all.push((await programs?.run(program, capture)) ?? []);
  return all;
}
const count = (calls: readonly Call[], name: string): number => calls.filter((call) => call.name === name).length;
const valuesOf = (calls: readonly Call[] | undefined): readonly unknown[] => (calls ?? []).map(({ value }) => value);

/** TLS handshakes over TCP that tshark found in the captures of these tests. */
function handshakesOf(capture: string): number {
  const entry = corpusEntries(folder ?? '').find(({ pcap }) => pcap.endsWith(capture));
  return entry === undefined ? 0 : readTruth(entry).tls.length;
}

scenario('a streaming filter decides, and streaming callbacks hear from there on', async () => {
  let heavy = 0;
  for (const calls of await runAll('streaming')) {
    const [any, after, before] = ['any', 'heavy', 'light'].map((name) => byConnection(calls, name));
    for (const [conn, pieces] of any) {
      const lengths = pieces.map(({ value }) => Number(value));
      const at = lengths.findIndex((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b) >= LIMIT);
      assert.equal(valuesOf(after.get(conn)), at < 0 ? [] : lengths.slice(at), conn);
      assert.equal(valuesOf(before.get(conn)), [], 'what is not known to be light is not light');
      assert.is(
        count(
          calls.filter((call) => call.conn === conn),
          'end',
        ),
        at < 0 ? 0 : 1,
      );
      assert.is(
        count(
          calls.filter((call) => call.conn === conn),
          'light end',
        ),
        at < 0 ? 1 : 0,
      );
      if (at >= 0) heavy++;
      // The packet that decides has passed InL4Conn by then.
      const packets = calls.filter((call) => call.conn === conn && ['packet', 'end'].includes(call.name));
      if (at >= 0) assert.ok(packets.length - 1 < Number(packets.at(-1)?.value));
    }
  }
  assert.ok(heavy > 10);
});

scenario('the methods of a class share an instance, made when the condition holds', async () => {
  for (const [i, calls] of (await runAll('grouped')).entries()) {
    const video = calls.filter(({ name }) => ['made', 'hello', 'piece', 'done', 'packets'].includes(name));
    const connections = byConnection(video, 'made');
    assert.is(connections.size, count(calls, 'hello'));
    for (const [conn, made] of connections) {
      const mine = video.filter((call) => call.conn === conn);
      assert.equal(valuesOf(made), [2], 'once, with the SYN although it is long gone');
      assert.equal(
        mine.slice(0, 2).map(({ name }) => name),
        ['made', 'hello'],
      );
      const pieces = mine.filter(({ name }) => name === 'piece').map(({ value }) => Number(value));
      const done = mine.find(({ name }) => name === 'done');
      assert.is(
        done?.value,
        pieces.reduce((a, b) => a + b, 0),
      );
    }
    assert.is(CAPTURES[i] === 'zeek-get.pcap', connections.size === 0);
  }
});

scenario('a class and a function count the same handshakes', async () => {
  for (const [i, calls] of (await runAll('grouped')).entries()) {
    const told = (name: string): readonly string[] =>
      calls.filter((call) => call.name === name).map(({ conn, value }) => `${conn} ${value ?? ''}`);
    assert.equal(told('by class'), told('by function'));
    assert.is(count(calls, 'established by class'), count(calls, 'established by function'));
    assert.ok(count(calls, 'established by class') >= count(calls, 'by class'));
    if (i === 0) assert.is(count(calls, 'by class'), handshakesOf(CAPTURES[i]));
  }
});

scenario('callbacks at L4FirstPacket and InL4Conn hear of every packet', async () => {
  for (const calls of await runAll('grouped')) {
    const each = byConnection(calls, 'each');
    assert.is(count(calls, 'first'), count(calls, 'first by function'));
    assert.is(count(calls, 'first'), count(calls, 'counted'));
    const counted = calls.filter(({ name }) => name === 'counted');
    const sum = (list: readonly Call[]): number => list.reduce((all, { value }) => all + Number(value), 0);
    const packets = [...each.values()].reduce((all, list) => all + list.length, 0);
    assert.is(packets, sum(counted));
    assert.ok(packets > 5);
  }
});

scenario('false at any level silences the whole class', async () => {
  let stopped = 0;
  for (const calls of await runAll('silence')) {
    for (const name of ['AtFirst', 'AtHandshake', 'AtDiscovery', 'AtSession']) {
      const stops = byConnection(calls, `${name} stops`);
      const hears = byConnection(calls, `${name} hears`);
      stopped += stops.size;
      for (const [conn, all] of stops) {
        const last = calls.findIndex((call) => call.conn === conn && call.name === `${name} stops`);
        const after = calls.slice(last).filter((call) => call.conn === conn && call.name === `${name} hears`);
        // Five-tuples come again: as often as a connection stops, at most.
        assert.ok(after.length === 0 || all.length > 1, `${name} ${conn}`);
        if (name === 'AtFirst') assert.not.ok(hears.has(conn));
      }
    }
    for (const [conn, stops] of byConnection(calls, 'AtPacket stops')) {
      const heard = byConnection(calls, 'AtPacket hears').get(conn) ?? [];
      assert.ok(stops.length % 3 === 0 ? true : heard.length > 0, conn);
      assert.ok(heard.every(({ value }) => Number(value) < 3));
    }
    const pieces = byConnection(calls, 'AtPiece hears');
    for (const heard of pieces.values()) assert.ok(heard.every(({ value }) => Number(value) < 2));
    assert.is(count(calls, 'Broken made'), count(calls, 'AtFirst stops'));
    assert.is(count(calls, 'Broken hears'), 0);
  }
  assert.ok(stopped > 100);
});

scenario('what never holds constructs nothing and delivers nothing', async () => {
  for (const calls of await runAll('never')) {
    assert.equal([...new Set(calls.map(({ name }) => name))], ['not undecided']);
  }
});

scenario('deliveries tell the pattern, the protocol, the transition', async () => {
  for (const [i, calls] of (await runAll('context')).entries()) {
    const patterns = new Set(valuesOf(calls.filter(({ name }) => name === 'matched')));
    const known = ['tcp.dst_port = 443', 'udp.dst_port = 53', 'tcp and not tls'];
    assert.ok(
      [...patterns].every((pattern) => known.includes(String(pattern))),
      [...patterns].join('; '),
    );
    const protos = calls.filter(({ name }) => name === 'L7OnDisc' || name === 'L4Terminated');
    assert.ok(protos.every(({ value }) => ['tls', 'http', 'unknown'].includes(String(value))));
    const tls = calls.filter(({ name, value }) => name === 'L7OnDisc' && value === 'tls').length;
    assert.is(count(calls, 'ended'), tls);
    assert.is(count(calls, 'names'), count(calls, 'names made'));
    for (const { value } of calls.filter(({ name }) => name === 'names')) {
      assert.match(String(value), /^\d+ L4FirstPacket L4EndHshk L7OnDisc$/);
    }
    const secure = calls.filter(({ name }) => name === 'secure');
    assert.equal([...new Set(valuesOf(secure))], secure.length === 0 ? [] : [443]);
    if (i === 1) assert.ok(secure.length > 50);
    for (const { value } of calls.filter(({ name }) => name === 'long')) assert.ok(String(value).length > 10);
    if (i === 1) {
      assert.equal([...patterns].sort(), known.sort());
      assert.ok(count(calls, 'long') > 50 && tls > 50);
    }
  }
});

test.after(() => programs?.remove());
test.run();
