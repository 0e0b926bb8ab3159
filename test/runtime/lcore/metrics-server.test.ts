/** Scraping a run over loopback: its own families, those of user code, and what is refused. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { serveMetrics } from '../../../runtime/lcore/metrics-server.ts';
import { captureFolder } from '../../support/captures.ts';
import { packageRoot } from '../../support/corpus.ts';
import { dpdk } from '../../support/dpdk.ts';
import { metricsOf } from '../../support/exposition.ts';

const RUN = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
const APP = join(packageRoot(), 'dist/test/support/metrics-app.js');
const SAMPLE = join(packageRoot(), 'examples/sni/sample.pcap');
const HERE = '127.0.0.1';

const test = suite('metrics server');
const folder = captureFolder();
test.after(folder.remove);
const cores = dpdk()?.threadAffinity() ?? [];
const [main = 0] = cores;

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, HERE, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function configure(devices: readonly string[], port: number, duration: number): string {
  const ports = devices.map((device, i) => {
    const core = cores[i % cores.length] ?? 0;
    return `[[online.ports]]\ndevice = "${device}"\ncores = [${core}]\n`;
  });
  return folder.write(
    'run.toml',
    Buffer.from(`main_core = ${main}
mempool.capacity = 8191
[online]
nb_rxd = 512
duration = ${duration}
[online.prometheus]
port = ${port}
address = "${HERE}"
${ports.join('')}`),
  );
}

test('what it answers', async () => {
  const port = await freePort();
  let fails = false;
  const server = await serveMetrics({ port, address: HERE }, () => {
    if (fails) throw new Error('no ports any more');
    return 'a 1\n';
  });
  const at = `http://${HERE}:${port}`;
  try {
    const metrics = await fetch(`${at}/metrics?x`);
    assert.is(metrics.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.is(await metrics.text(), 'a 1\n');
    assert.is(await (await fetch(`${at}/metrics`, { method: 'HEAD' })).text(), '');
    assert.is((await fetch(`${at}/`)).status, 200);
    assert.is((await fetch(`${at}/other`)).status, 404);
    assert.is((await fetch(`${at}/metrics`, { method: 'POST' })).status, 405);
    fails = true;
    assert.is((await fetch(`${at}/metrics`)).status, 500);
    let message = '';
    await serveMetrics({ port, address: HERE }, () => '').catch((error) => {
      message = error.message;
    });
    assert.is(message, `online.prometheus.port: ${port} is in use by another program`);
  } finally {
    server.close();
  }
});

(cores.length === 0 || !existsSync(SAMPLE) ? test.skip : test)('a run is scraped while it lasts', async () => {
  const port = await freePort();
  const devices = cores.slice(0, 2).map((_, i) => `net_pcap${i},rx_pcap=${SAMPLE},infinite_rx=1`);
  const args = [RUN, APP, '--config', configure(devices, port, 30), '--out', '/dev/null'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  const receiving = new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk) => {
      err += chunk;
      if (err.includes(`net_pcap${devices.length - 1}: receiving`)) resolve();
    });
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  try {
    await Promise.race([receiving, ended]);
    const scrape = async () => metricsOf(await (await fetch(`http://${HERE}:${port}/metrics`)).text());
    const on = cores.slice(0, 2);
    const packetsOf = (core: number) => `iris_core_packets_total{core="${core}"}`;
    /** Scrapes until every core has taken more packets than before. */
    const later = async (before: ReadonlyMap<string, number>) => {
      for (;;) {
        const now = await scrape();
        if (on.every((core) => (now.get(packetsOf(core)) ?? 0) > (before.get(packetsOf(core)) ?? 0))) return now;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const first = await later(new Map());
    const second = await later(first);
    assert.is(first.get('iris_build_info{program="flow-app.iris",plan="0",compiler="test"}'), 1);
    for (const core of on) {
      assert.ok((second.get(`test_connections_total{core="${core}"}`) ?? 0) > 0);
      assert.ok((second.get(`test_latest{core="${core}"}`) ?? 0) > 0);
    }
    assert.ok((second.get('test_sum_total{kind="a\\"b"}') ?? 0) > 0);
    assert.ok((second.get('iris_port_packets_total{port="net_pcap0",driver="net_pcap"}') ?? 0) > 0);
    child.kill('SIGINT');
    assert.is(await ended, 130, err);
  } finally {
    child.kill('SIGKILL');
  }
});

(cores.length === 0 ? test.skip : test)('a port that is taken ends the run before its first packet', async () => {
  const taken = createServer();
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, HERE, () => resolve((taken.address() as AddressInfo).port));
  });
  try {
    const config = configure(['net_null0'], port, 30);
    const { status, stderr } = spawnSync(process.execPath, [RUN, APP, '--config', config], { encoding: 'utf8' });
    assert.is(status, 3, stderr);
    assert.match(stderr, new RegExp(`^error: online\\.prometheus\\.port: ${port} is in use by another program$`, 'm'));
  } finally {
    taken.close();
  }
});
test.run();
