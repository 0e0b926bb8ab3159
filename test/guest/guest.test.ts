/**
 * Runs on real poll-mode drivers, in a guest: virtio-net with two RSS queues and e1000, bound to uio_pci_generic. Each run
 * gives the records of the capture that it is fed with; as a connection's record counts both directions, both of them came
 * to one core. `npm run test:guest`.
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

/** Frames on their way into the guest at most. */
const WINDOW = 384;

const test = suite('guest');

interface Card {
  readonly name: string;
  readonly address: string;
  readonly cores: readonly number[];
}
const VIRTIO: Card = { name: 'virtio', address: '0000:00:10.0', cores: [1, 2] };
const E1000: Card = { name: 'e1000', address: '0000:00:11.0', cores: [1] };

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
  return `mount --bind ${addon} ${join(packageRoot(), 'native/build')}\n${runs.join('')}`;
}

function configure(exchange: string, { name, address, cores }: Card): void {
  const text = `main_core = 0
mempool.capacity = 8191
[online]
nb_rxd = 4096
[conntrack]
max_connections = 4096
max_out_of_order_bytes = 1048576
[[online.ports]]
device = "${address}"
cores = [${cores.join(', ')}]
`;
  writeFileSync(join(exchange, `${name}.toml`), text);
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
    for (const end = performance.now() + RUN_MS; !condition(); await sleep(200)) {
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
  const cards = [VIRTIO, E1000];
  let guest: Guest | undefined;
  let expected: string[] = [];
  let frames: Uint8Array[] = [];

  test.before(() => {
    const options = { connections: 120, live: 30, variety: 16, ipv6: 0.3, seed: 6 };
    writeCapture(capture, shapeOptions('mixed', 1, options));
    frames = framesOf(capture);
    expected = records(
      spawnSync(process.execPath, [RUN, APP, '--quiet', '--pcap', capture], { encoding: 'utf8' }).stdout,
    );
    assert.ok(expected.length > 100);
    for (const card of cards) configure(exchange, card);
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
    ]);
    startEal(addon);
  });
  test.after(() => {
    guest?.process.kill('SIGKILL');
    addon.ealStop();
    rmSync(exchange, { recursive: true });
  });

  test('virtio-net: two RSS queues, both directions of every flow on one core', async () => {
    if (guest === undefined) throw new Error('no guest');
    const got = await feed(guest, exchange, VIRTIO, frames.length, async (room) => {
      const port = plugIn(addon, `net_af_packet0,iface=${TAP},blocksz=65536,framesz=2048,framecnt=1024`);
      for (const [i, frame] of frames.entries()) {
        while (!addon.portSend(port.port, 0, port.memory, frame)) await sleep(1);
        await room(i);
      }
      port.remove();
    });
    assert.equal(got.records, expected, got.text);
    const { cores } = got.summary;
    assert.is(cores.length, 2);
    for (const { core, connections } of cores)
      assert.ok(connections > 20, `core ${core} has too few of them: ${got.text}`);
  });

  test('e1000: one queue', async () => {
    if (guest === undefined) throw new Error('no guest');
    const got = await feed(guest, exchange, E1000, frames.length, async (room) => {
      const socket = createConnection(join(exchange, 'e1000.sock'));
      for (const [i, frame] of frames.entries()) {
        await room(i);
        const length = Buffer.alloc(4);
        length.writeUInt32BE(frame.length);
        socket.write(Buffer.concat([length, frame]));
      }
      // The connection is the cable, and stays plugged in.
      socket.unref();
    });
    assert.equal(got.records, expected, got.text);
  });

  test('the guest ends', async () => {
    await guest?.off;
    assert.is(guest?.process.exitCode, 0);
  });
  test.run();
}

const kernel = guestKernel();
if (process.env.IRIS_GUEST !== '1' || kernel === undefined || dpdk() === undefined || !canMakeVeth()) {
  test.skip('needs IRIS_GUEST=1, sudo test/guest/install.sh, DPDK and the right to make network namespaces', () => {});
  test.run();
} else if (process.env.IRIS_TEST_NETNS === undefined) {
  const env = { ...process.env, IRIS_TEST_NETNS: '1' };
  const args = ['--net', process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)];
  process.exitCode = spawnSync('unshare', args, { stdio: 'inherit', env }).status ?? 1;
} else {
  tests(kernel);
}
