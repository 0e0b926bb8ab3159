/** What is decided before DPDK runs: the EAL's arguments, what is refused, how loss is worded, batches of lines. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig } from '../../../runtime/config/config.ts';
import { DeviceError, InputError } from '../../../runtime/errors.ts';
import { ealArguments } from '../../../runtime/lcore/eal.ts';
import { createLossWatch, lostOf } from '../../../runtime/lcore/loss.ts';
import { coreList } from '../../../runtime/lcore/machine.ts';
import { openPorts } from '../../../runtime/lcore/ports.ts';
import type { PortStats } from '../../../runtime/source/dpdk.ts';
import { captureFolder } from '../../support/captures.ts';
import { dpdk } from '../../support/dpdk.ts';

const test = suite('start');
const folder = captureFolder();
test.after(folder.remove);
const GIB = 2 ** 30;

const withPort = (device: string, cores: string, more = '') =>
  parseConfig(`${more}\n[[online.ports]]\ndevice = "${device}"\ncores = ${cores}\n`, 'x.toml');

test('arguments of the EAL', () => {
  const config = withPort('net_null0', '[0]', 'main_core = 1\nnb_memory_channels = 4\nmempool.capacity = 8191');
  const needs = { config, workers: 2, pci: [], physicalAddresses: false, packetBytes: 2 ** 25 };
  const none = ealArguments({ ...needs, hugepages: { freeBytes: 0 } });
  assert.equal(none, 'iris -l 1 -n 4 --no-telemetry --no-huge --no-shconf -m 69 --no-pci'.split(' '));
  const huge = ealArguments({ ...needs, hugepages: { freeBytes: GIB } });
  assert.equal(huge, 'iris -l 1 -n 4 --no-telemetry --in-memory --iova-mode=va --no-pci'.split(' '));
  const pci = ealArguments({ ...needs, pci: ['0000:3b:00.0'], hugepages: { freeBytes: GIB } });
  assert.equal(pci.slice(-2), ['-a', '0000:3b:00.0']);
  assert.not(pci.includes('--no-pci'));
  const uio = ealArguments({ ...needs, physicalAddresses: true, hugepages: { freeBytes: GIB } });
  assert.ok(uio.includes('--iova-mode=pa'));
  assert.throws(
    () => ealArguments({ ...needs, pci: ['0000:3b:00.0'], hugepages: { freeBytes: 0 } }),
    (e: unknown) =>
      e instanceof DeviceError && /hugepages, and 0 MB are free/.test(e.message) && /nr_hugepages/.test(e.hint ?? ''),
  );
});

test('the user decides on memory if he says so', () => {
  const config = withPort('net_null0', '[0]', '[online]\ndpdk_supl_args = ["--no-huge", "-m", "900"]');
  const needs = { config, workers: 1, pci: [], physicalAddresses: false, packetBytes: 0 };
  const args = ealArguments({ ...needs, hugepages: { freeBytes: GIB } });
  assert.not(args.includes('--in-memory'));
  assert.equal(args.slice(-3), ['--no-huge', '-m', '900']);
});

const native = dpdk();
(native === undefined ? test.skip : test)('refused before DPDK starts', () => {
  if (native === undefined) return;
  const text = folder.write('text.pcap', Buffer.from('not a capture at all'));
  const refusals: [string, string, string, RegExp, typeof DeviceError | typeof InputError][] = [
    [
      'net_null0',
      '[1000]',
      '',
      /x\.toml: online\.ports\[0\]\.cores: core 1000 is not there; this process may run on/,
      DeviceError,
    ],
    ['net_null0', '[0]', 'main_core = 1000', /x\.toml: main_core: core 1000 is not there/, DeviceError],
    ['net_af_packet0,iface=nosuch0', '[0]', '', /net_af_packet0: there is no network interface nosuch0/, DeviceError],
    ['net_pcap0,rx_pcap=/no/such.pcap', '[0]', '', /\/no\/such\.pcap: /, InputError],
    [`net_pcap0,rx_pcap=${text}`, '[0]', '', /text\.pcap: byte 0: not a capture/, InputError],
  ];
  const core = native.threadAffinity()[0] ?? 0;
  for (const [device, cores, more, message, kind] of refusals) {
    const config = withPort(device, cores.replace('[0]', `[${core}]`), more === '' ? `main_core = ${core}` : more);
    assert.throws(
      () => openPorts(native, config),
      (e: unknown) => {
        assert.instance(e, kind);
        assert.match((e as Error).message, message);
        return true;
      },
    );
  }
});

test('loss is said once, with what it means', () => {
  const stats: { -readonly [K in keyof PortStats]: number } = {
    ipackets: 100,
    ibytes: 6000,
    imissed: 0,
    ierrors: 0,
    rxNombuf: 0,
    socketDrops: 0,
  };
  const watch = createLossWatch({
    ports: [{ name: 'net_null0', port: 0, driver: 'net_null', device: { kind: 'pci', address: '0000:00:00.0' } }],
    stats: () => ({ ...stats }),
  });
  assert.equal(watch.look(), []);
  assert.equal(lostOf(stats), {});
  stats.imissed = 1500;
  stats.socketDrops = 2;
  const [missed, sockets, ...rest] = watch.look();
  assert.match(missed, /^net_null0 lost 1,500 packets: its queue was full/);
  assert.match(sockets, /^net_null0 lost 2 packets: the ring of its packet socket was full/);
  assert.equal(rest, []);
  assert.equal(watch.look(), []);
  assert.equal(lostOf(stats), { missed: 1500, socket_drops: 2 });
});

test('lists of cores', () => {
  assert.is(coreList([0, 1, 2, 5, 7, 8]), '0-2, 5, 7-8');
  assert.is(coreList([]), '');
});
test.run();
