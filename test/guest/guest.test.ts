/**
 * Runs on real poll-mode drivers, in a guest, with hugepages on two NUMA nodes: virtio-net with two RSS queues, e1000 and
 * vmxnet3, bound to uio_pci_generic. Each run gives the records of the capture that it is fed with; as a connection's
 * record counts both directions, both of them came to one core. A sink empties the queue that a part of virtio-net's RSS
 * table points to. On net_tap the guest's kernel really installs flow rules. `npm run test:guest`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageRoot } from '../support/corpus.ts';
import { canMakeVeth, dpdk, plugIn, startEal } from '../support/dpdk.ts';
import { shapeOptions } from '../traffic/options.ts';
import { writeCapture } from '../traffic/pcap-writer.ts';
import { bootGuest, type Guest, type GuestKernel, guestAddon, guestKernel } from './guest.ts';

const RUN = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
const APP = join(packageRoot(), 'dist/test/support/flow-app.js');
const TAP = 'irisguest';
/** Time that a run in the guest may take from the boot or the run before it. */
const RUN_MS = 100_000;

/**
 * Frames on their way into the guest at most: QEMU's queues have 256 places, not all of them filled by the driver, and QEMU
 * itself may keep what finds none for ever when RSS had sent it from one queue to another.
 */
const WINDOW = 128;

const test = suite('guest');

interface Card {
  readonly name: string;
  readonly address: string;
  readonly cores: readonly number[];
  /** Core of a sink that gets half the flows. */
  readonly sink?: number;
}
const VIRTIO: Card = { name: 'virtio', address: '0000:00:10.0', cores: [1, 2] };
const SINK: Card = { name: 'sink', address: '0000:00:10.0', cores: [1], sink: 2 };
const E1000: Card = { name: 'e1000', address: '0000:00:11.0', cores: [1] };
const VMXNET3: Card = { name: 'vmxnet3', address: '0000:00:12.0', cores: [1] };

/** Datagrams and connections that the guest tries through net_tap, where nobody answers; and what the program asks for. */
const DATAGRAMS = 50;
const CONNECTIONS = 3;
const TAP_FILTER = 'subscribe flows(conn: ConnRecord) at L4Terminated when tcp\n';
/** Sends them, when the interface is there. */
const TAP_SENDER = `
const { createSocket } = require('node:dgram');
const { connect } = require('node:net');
const sockets = Array.from({ length: ${CONNECTIONS} }, (_, i) => connect(80 + i, '10.9.0.2').on('error', () => {}));
const socket = createSocket('udp4');
socket.bind(4000, '10.9.0.1', async () => {
  for (let i = 0; i < ${DATAGRAMS}; i++) {
    await new Promise((resolve) => socket.send('x', 53, '10.9.0.2', resolve));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  socket.close();
  for (const one of sockets) one.destroy();
});
`;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Frames of a capture that the generator wrote: little-endian. */
function framesOf(capture: string): Uint8Array[] {
  const bytes = readFileSync(capture);
  const frames: Uint8Array[] = [];
  for (let at = 24; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 8);
    frames.push(bytes.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return frames;
}

/** Records without their times, which are those of the arrival. */
function records(lines: string): string[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/"ts":[\d.]+,/, ''))
    .sort();
}

/** What the guest does: the addon made for it in place, then one run after the other, each until it is told to stop. */
function scriptOf(exchange: string, addon: string, cards: readonly Card[]): string {
  const runs = cards.map(
    ({ name, address }) => `
cd /sys/bus/pci/devices/${address}
[ ! -e driver ] || echo ${address} > driver/unbind
echo uio_pci_generic > driver_override
echo ${address} > /sys/bus/pci/drivers_probe
cd ${packageRoot()}
read -r up rest < /proc/uptime
echo "${name}: started $up s after the boot"
"${process.execPath}" ${RUN} ${APP} --json --config ${exchange}/${name}.toml --out ${exchange}/${name}.out 2> ${exchange}/${name}.err &
pid=$!
while [ ! -e ${exchange}/${name}.stop ] && kill -0 $pid 2> /dev/null; do sleep 0.2; done
kill -INT $pid 2> /dev/null
wait $pid
echo $? > ${exchange}/${name}.status
`,
  );
  return `mount --bind ${addon} ${join(packageRoot(), 'native/build')}
cd ${packageRoot()}
"${process.execPath}" dist/compiler/cli/iris.js doctor > ${exchange}/doctor.out 2>&1
${runs.join('')}${tapRun(exchange, 'tap')}${tapRun(exchange, 'tap-rules')}`;
}

/** A run on net_tap, whose interface the guest's kernel sends datagrams through. */
function tapRun(exchange: string, name: string): string {
  return `
echo "${name}:"
"${process.execPath}" ${RUN} ${exchange}/tap.iris.js --json --config ${exchange}/${name}.toml --out ${exchange}/${name}.out 2> ${exchange}/${name}.err &
pid=$!
while ! grep -q 'receiving on core' ${exchange}/${name}.err && kill -0 $pid 2> /dev/null; do sleep 0.2; done
echo 1 > /proc/sys/net/ipv6/conf/iristap/disable_ipv6
ip addr add 10.9.0.1/24 dev iristap
ip link set iristap up
ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev iristap
"${process.execPath}" ${exchange}/send.cjs
sleep 1
kill -INT $pid
wait $pid
echo $? > ${exchange}/${name}.status
`;
}

function configureTap(exchange: string, name: string, hardwareAssist: boolean): void {
  const text = `main_core = 0
mempool.capacity = 8191
[online]
hardware_assist = ${hardwareAssist}
[[online.ports]]
device = "net_tap0,iface=iristap"
cores = [1]
`;
  writeFileSync(join(exchange, `${name}.toml`), text);
}

function configure(exchange: string, { name, address, cores, sink }: Card): void {
  const text = `main_core = 0
mempool.capacity = 8191
[online]
nb_rxd = 4096
[online.monitor.display]
interval = 100
[conntrack]
max_connections = 4096
max_out_of_order_bytes = 1048576
[[online.ports]]
device = "${address}"
cores = [${cores.join(', ')}]
`;
  const sampling = sink === undefined ? '' : `[online.ports.sink]\ncore = ${sink}\nnb_buckets = 256\n`;
  writeFileSync(join(exchange, `${name}.toml`), text + sampling);
}

/** A run in the guest from its start to its end; `send` feeds it. */
async function feed(
  guest: Guest,
  exchange: string,
  card: Card,
  count: number,
  send: (room: (sent: number) => Promise<void>) => Promise<void>,
) {
  const file = (ending: string) => join(exchange, `${card.name}.${ending}`);
  const text = (ending: string) => (existsSync(file(ending)) ? readFileSync(file(ending), 'utf8') : '');
  const all = () => `${guest.console()}\n${text('err').replace(/^.*"kind":"monitor".*\n(?=.*"kind":"monitor")/gm, '')}`;
  async function until(what: string, condition: () => boolean): Promise<void> {
    for (const end = performance.now() + RUN_MS; !condition(); await sleep(50)) {
      const over = guest.process.exitCode !== null || guest.process.signalCode !== null || text('status') !== '';
      if (over || performance.now() > end) throw new Error(`${card.name}: ${what} did not come:\n${all()}`);
    }
  }
  await until('"receiving"', () => text('err').includes('receiving on core'));
  const taken = () => Number(/.*"kind":"monitor".*?"packets":(\d+)/s.exec(text('err'))?.[1] ?? 0);
  let known = 0;
  /** Waits until so few of the frames sent are on their way that neither kernel nor card drops one. */
  async function room(sent: number): Promise<void> {
    if (sent - known < WINDOW) return;
    await until(`${sent - WINDOW} packets`, () => sent - taken() < WINDOW);
    known = taken();
  }
  try {
    await send(room);
    await until(`${count} packets`, () => taken() >= count);
  } finally {
    writeFileSync(file('stop'), '');
  }
  const end = performance.now() + RUN_MS;
  while (text('status') === '' && performance.now() < end) await sleep(200);
  const summary = text('err')
    .split('\n')
    .findLast((line) => line.includes('"kind":"summary"'));
  assert.is(text('status').trim(), '130', all());
  return { summary: JSON.parse(summary ?? '{}'), records: records(text('out')), text: all() };
}

function tests(kernel: GuestKernel): void {
  const addon = dpdk();
  if (addon === undefined) throw new Error('DPDK went away');
  const exchange = mkdtempSync(join(tmpdir(), 'iris-guest-'));
  const capture = join(exchange, 'traffic.pcap');
  const cards = [VIRTIO, SINK, E1000, VMXNET3];
  let guest: Guest | undefined;
  let expected: string[] = [];
  let frames: Uint8Array[] = [];

  test.before(() => {
    const options = { connections: 60, live: 20, variety: 16, ipv6: 0.3, seed: 6 };
    writeCapture(capture, shapeOptions('mixed', 1, options));
    frames = framesOf(capture);
    expected = records(
      spawnSync(process.execPath, [RUN, APP, '--quiet', '--pcap', capture], { encoding: 'utf8' }).stdout,
    );
    assert.ok(expected.length > 60);
    for (const card of cards) configure(exchange, card);
    configureTap(exchange, 'tap', false);
    configureTap(exchange, 'tap-rules', true);
    writeFileSync(join(exchange, 'tap.iris'), TAP_FILTER);
    writeFileSync(join(exchange, 'send.cjs'), TAP_SENDER);
    const compiled = spawnSync(
      process.execPath,
      [join(packageRoot(), 'dist/compiler/cli/iris-compile.js'), join(exchange, 'tap.iris')],
      { encoding: 'utf8' },
    );
    assert.is(compiled.status, 0, compiled.stderr);
    for (const command of [
      `ip tuntap add ${TAP} mode tap multi_queue`,
      `ip link set ${TAP} txqueuelen 10000 addrgenmode none up`,
    ]) {
      spawnSync('sh', ['-c', command], { stdio: 'inherit' });
    }
    guest = bootGuest(kernel, exchange, scriptOf(exchange, guestAddon(), cards), [
      ...['-netdev', `tap,id=n0,ifname=${TAP},queues=2,script=no,downscript=no,vhost=off`],
      ...['-device', 'virtio-net-pci,netdev=n0,mq=on,rss=on,vectors=8,disable-legacy=on,addr=0x10,romfile='],
      ...['-netdev', `stream,id=n1,server=on,addr.type=unix,addr.path=${exchange}/e1000.sock`],
      ...['-device', 'e1000,netdev=n1,addr=0x11,romfile='],
      ...['-netdev', `stream,id=n2,server=on,addr.type=unix,addr.path=${exchange}/vmxnet3.sock`],
      ...['-device', 'vmxnet3,netdev=n2,addr=0x12,romfile='],
    ]);
    startEal(addon);
  });
  test.after(() => {
    guest?.process.kill('SIGKILL');
    addon.ealStop();
    rmSync(exchange, { recursive: true });
  });

  /** Sends the capture into the tap that virtio-net hangs on. */
  async function sendToTap(room: (sent: number) => Promise<void>): Promise<void> {
    if (addon === undefined) throw new Error('DPDK went away');
    const port = plugIn(addon, `net_af_packet0,iface=${TAP},blocksz=65536,framesz=2048,framecnt=1024`);
    for (const [i, frame] of frames.entries()) {
      while (!addon.portSend(port.port, 0, port.memory, frame)) await sleep(1);
      await room(i);
    }
    port.remove();
  }

  /** Sends the capture through the socket that is a card's cable. */
  async function sendToSocket(path: string, room: (sent: number) => Promise<void>): Promise<void> {
    const socket = createConnection(path);
    for (const [i, frame] of frames.entries()) {
      await room(i);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(frame.length);
      socket.write(Buffer.concat([length, frame]));
    }
    // The connection is the cable, and stays plugged in.
    socket.unref();
  }

  test('virtio-net: two RSS queues, both directions of every flow on one core', async () => {
    if (guest === undefined) throw new Error('no guest');
    const got = await feed(guest, exchange, VIRTIO, frames.length, sendToTap);
    assert.equal(got.records, expected, got.text);
    const { cores } = got.summary;
    assert.is(cores.length, 2);
    for (const { core, connections } of cores)
      assert.ok(connections > 10, `core ${core} has too few of them: ${got.text}`);
    assert.match(got.text, /MB of packet memory in hugepages/);
    assert.not.match(got.text, /no packet memory on its own NUMA node|RSS key|RSS leaves out/);
  });

  test('virtio-net: a sink takes the flows of half its RSS table, whole flows', async () => {
    if (guest === undefined) throw new Error('no guest');
    const got = await feed(guest, exchange, SINK, frames.length, sendToTap);
    const [kept, sunk] = got.summary.cores;
    assert.is(kept.packets + sunk.packets, frames.length, got.text);
    assert.is(got.summary.sampled_out, sunk.packets);
    const whole = new Set(expected);
    assert.equal(
      got.records.filter((record) => !whole.has(record)),
      [],
      got.text,
    );
    const share = got.records.length / expected.length;
    assert.ok(share > 0.2 && share < 0.8, `${share} of the records`);
  });

  for (const card of [E1000, VMXNET3]) {
    test(`${card.name}: one queue`, async () => {
      if (guest === undefined) throw new Error('no guest');
      const path = join(exchange, `${card.name}.sock`);
      const got = await feed(guest, exchange, card, frames.length, (room) => sendToSocket(path, room));
      assert.equal(got.records, expected, got.text);
    });
  }

  test('net_tap: the kernel drops by the flow rules what nobody asked for', async () => {
    await guest?.off;
    const read = (name: string) => readFileSync(join(exchange, name), 'utf8');
    const about = `${guest?.console()}\n${read('tap.err')}\n${read('tap-rules.err')}`;
    for (const name of ['tap', 'tap-rules']) assert.is(read(`${name}.status`).trim(), '130', about);
    const summary = (name: string) =>
      JSON.parse(
        read(`${name}.err`)
          .split('\n')
          .findLast((line) => line.includes('"kind":"summary"')) ?? '{}',
      );
    // Without rules the program drops the datagrams itself; with them they never come to it.
    assert.is(summary('tap').counters.filtered_out, DATAGRAMS, about);
    assert.is(summary('tap-rules').counters.filtered_out, undefined, about);
    assert.match(read('tap-rules.err'), /net_tap0: hardware filter of 2 rules"/);
    for (const name of ['tap', 'tap-rules']) assert.is(records(read(`${name}.out`)).length, CONNECTIONS, about);
  });

  test('the doctor sees nodes, hugepages and cards', () => {
    const text = readFileSync(join(exchange, 'doctor.out'), 'utf8');
    assert.match(text, /^ok +hugepages +512 MB, 512 MB free$/m, text);
    assert.match(text, /^ok +NUMA +node 0: cores 0-1, 256 MB of hugepages; node 1: cores 2, 256 MB of hugepages$/m);
    for (const address of ['0000:00:10.0', '0000:00:11.0', '0000:00:12.0']) {
      assert.match(text, new RegExp(`^warn +network card +${address} \\(.*not for DPDK$`, 'm'));
    }
  });

  test('the guest ends', async () => {
    await guest?.off;
    assert.is(guest?.process.exitCode, 0);
  });
  test.run();
}

/** Whether this process may make the interface that the guest's card hangs on. */
function canMakeTap(): boolean {
  const command = `ip tuntap add ${TAP} mode tap multi_queue`;
  return spawnSync('unshare', ['--net', 'sh', '-c', command], { stdio: 'ignore' }).status === 0;
}

const kernel = guestKernel();
if (process.env.IRIS_GUEST !== '1' || kernel === undefined || dpdk() === undefined || !canMakeVeth() || !canMakeTap()) {
  test.skip('needs IRIS_GUEST=1, sudo test/guest/install.sh, DPDK and the right to make network namespaces', () => {});
  test.run();
} else if (process.env.IRIS_TEST_NETNS === undefined) {
  const env = { ...process.env, IRIS_TEST_NETNS: '1' };
  const args = ['--net', process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)];
  process.exitCode = spawnSync('unshare', args, { stdio: 'inherit', env }).status ?? 1;
} else {
  tests(kernel);
}
