/** The data types of the library over captures of the corpus, against each other and ConnRecord. Skipped without corpus. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { corpus } from '../support/corpus.ts';
import { compilePrograms, type Line } from './scenario.ts';

const test = suite('data types of the library');
const scenario = corpus() === undefined ? test.skip : test;
const programs = corpus() === undefined ? undefined : compilePrograms('library');

const CAPTURES = ['ndpi-alexa-app.pcapng', 'iris-tls_ciphers.pcap', 'arkime-dns-tcp.pcap'];

async function linesOf(subscription: string): Promise<readonly Line[]> {
  const found: Line[] = [];
  for (const capture of CAPTURES) {
    const lines = (await programs?.lines('library', capture)) ?? [];
    found.push(...lines.filter((line) => line.subscription === subscription));
  }
  return found;
}
const near = (a: number, b: number): boolean => Math.abs(a - b) < 2e-6;

scenario('counts, duration and history are those of the record', async () => {
  const lines = await linesOf('numbers');
  for (const { conn, pkts, bytes, took, history } of lines) {
    assert.equal(pkts, { orig: conn.orig.packets, resp: conn.resp.packets });
    assert.equal(bytes, { orig: conn.orig.payload_bytes, resp: conn.resp.payload_bytes });
    assert.is(took, conn.duration);
    assert.is(history, conn.history.replace(/t/gi, ''));
  }
  assert.ok(lines.length > 100);
});

scenario('times between packets add up to the life of a connection', async () => {
  const lines = await linesOf('times');
  for (const { conn, gaps } of lines) {
    for (const end of ['orig', 'resp']) assert.is(gaps[end].length, Math.max(0, conn[end].packets - 1));
    const sum = (times: readonly number[]): number => times.reduce((a, b) => a + b, 0);
    if (conn.resp.packets === 0) assert.ok(Math.abs(sum(gaps.orig) - conn.duration) < 1e-5 * (1 + gaps.orig.length));
    else assert.ok(sum(gaps.orig) <= conn.duration + 1e-4 && sum(gaps.resp) <= conn.duration + 1e-4);
  }
  assert.ok(lines.some(({ gaps }) => gaps.orig.length > 20));
});

scenario('the times of a handshake are known at its end, and the same when the connection ends', async () => {
  const early = new Map<string, Line>();
  for (const line of await linesOf('handshakes')) early.set(JSON.stringify(line.ends), line);
  let known = 0;
  for (const { ends, conn, rtt } of await linesOf('times')) {
    if (rtt.total === null) continue;
    known++;
    assert.ok(near(rtt.to_resp + rtt.to_orig, rtt.total));
    assert.ok(rtt.to_resp > 0 && rtt.to_orig >= 0 && rtt.total <= conn.duration + 1e-6);
    const line = early.get(JSON.stringify(ends));
    assert.equal(line?.rtt, rtt);
    // A SYN that was sent again begins the measure anew.
    if (conn.orig.retransmitted === 0 && near(conn.start + rtt.to_resp, conn.second_packet)) {
      assert.ok(near(conn.start + rtt.total, line?.ts ?? 0));
    }
  }
  assert.ok(known > 80);
});

scenario('pseudonyms are one for each host, networks stay', async () => {
  const names = new Map<string, string>();
  for (const { ends, anon, cleared, id, eth, tag } of await linesOf('ends')) {
    assert.equal({ ...anon, orig_addr: '' }, { ...ends, orig_addr: '' });
    const known = names.get(ends.orig_addr);
    if (known !== undefined) assert.is(anon.orig_addr, known);
    names.set(ends.orig_addr, anon.orig_addr);
    const network = (address: string): string => address.replace(/\.\d+$/, '.0');
    if (!ends.orig_addr.includes(':')) {
      assert.is(network(anon.orig_addr), network(ends.orig_addr));
      assert.equal([cleared.orig_addr, cleared.resp_addr], [network(ends.orig_addr), network(ends.resp_addr)]);
    }
    assert.match(id, /^1:[A-Za-z0-9+/]{27}=$/);
    assert.match(eth.src, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    assert.is(tag, null);
  }
  assert.is(new Set(names.values()).size, names.size);
});

scenario('the packets of a connection are kept in order, whole and by direction', async () => {
  const lines = await linesOf('packets');
  for (const { conn, all, orig, resp } of lines) {
    assert.equal([orig.length, resp.length], [conn.orig.packets, conn.resp.packets]);
    const from = (own: boolean): unknown => all.filter((packet: { from_orig: boolean }) => packet.from_orig === own);
    assert.equal(from(true), orig);
    assert.equal(from(false), resp);
    assert.ok(near(all[0].ts, conn.start));
    assert.is(all[0].payload.length, 2 * all[0].length);
  }
  assert.ok(lines.length > 10);
});

test.after(() => programs?.remove());
test.run();
