/** The configuration file: every fault with key and line, all of them at once; defaults; devices. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultConfig, parseConfig } from '../../../runtime/config/config.ts';
import { deviceArguments, parseDevice, playedCaptures } from '../../../runtime/config/device.ts';
import { keyLines } from '../../../runtime/config/locate.ts';
import { CONNTRACK_DEFAULTS } from '../../../runtime/conntrack/config.ts';
import { ConfigError, ConfigErrors } from '../../../runtime/errors.ts';
import { DECAP_ALL, DECAP_DEFAULTS } from '../../../runtime/packet/decap-config.ts';

const test = suite('config');

/** The faults of a configuration, as `key:line message`. */
function faults(text: string): string[] {
  try {
    parseConfig(text, 'x.toml');
    return [];
  } catch (error) {
    const errors = error instanceof ConfigErrors ? error.errors : [error];
    return errors.map((e) => {
      assert.instance(e, ConfigError);
      const { key, line, message } = e as ConfigError;
      assert.ok(message.startsWith(`x.toml${line === undefined ? '' : `:${line}`}: ${key}: `), message);
      return `${key}:${line} ${message.slice(message.indexOf(`${key}: `) + key.length + 2)}`;
    });
  }
}

test('nothing said: the defaults', () => {
  const config = defaultConfig();
  assert.equal(config.conntrack, CONNTRACK_DEFAULTS);
  assert.is(config.online, undefined);
  assert.equal(config.mempool, { capacity: 65_535, cacheSize: 512 });
  assert.equal(config.notes, []);
});

test('tunnels: all of them, but those said otherwise; ports of their own', () => {
  assert.equal(defaultConfig().decap, DECAP_DEFAULTS);
  assert.equal(parseConfig('[decap]\nall = true', 'x.toml').decap, DECAP_ALL);
  const { decap } = parseConfig('[decap]\nall = true\nipip = false\nvxlan_ports = [8472]\nmax_depth = 2', 'x.toml');
  assert.equal(decap, { ...DECAP_ALL, ipip: false, vxlan_ports: [8472], max_depth: 2 });
  assert.equal(parseConfig('decap.gre = true', 'x.toml').decap, { ...DECAP_DEFAULTS, gre: true });
  assert.equal(
    faults('[decap]\ngtp = true\nvxlan_ports = [0]\ngeneve_ports = [6081, 4789]\ngtp_u_ports = [3544]\nmax_depth = 17'),
    [
      'decap.gtp:2 unknown key; did you mean gtp_u?',
      'decap.vxlan_ports:3 [0] is not allowed; it must be a list of different port numbers, each 1 to 65535',
      'decap.geneve_ports:4 4789 is a port of decap.vxlan_ports already',
      'decap.gtp_u_ports:5 3544 is the port of decap.teredo',
      'decap.max_depth:6 17 is not allowed; it must be a whole number of 1 to 16 tunnels',
    ],
  );
});

test('everything said', () => {
  const config = parseConfig(
    `
main_core = 1
nb_memory_channels = 2
mempool.capacity = 8191
mempool.cache_size = 256
[online]
duration = 1.5
nb_rxd = 1024
promiscuous = false
mtu = 9000
dpdk_supl_args = ["--log-level=debug"]
[[online.ports]]
device = "0000:3B:00.1"
cores = [2, 3]
[[online.ports]]
device = "net_af_packet0,iface=veth0,qpairs=1"
cores = [2]
[online.ports.sink]
core = 1
[conntrack]
max_connections = 10
on_full = "evict_oldest"
udp_inactivity_timeout = 1500
init_data = true
`,
    'x.toml',
  );
  assert.is(config.mainCore, 1);
  assert.is(config.memoryChannels, 2);
  assert.equal(config.mempool, { capacity: 8191, cacheSize: 256 });
  assert.equal(config.online, {
    duration: 1.5,
    rxDescriptors: 1024,
    promiscuous: false,
    mtu: 9000,
    hardwareAssist: false,
    dpdkArgs: ['--log-level=debug'],
    monitor: { display: undefined, log: undefined },
    prometheus: undefined,
    ports: [
      { device: { kind: 'pci', address: '0000:3b:00.1' }, cores: [2, 3], sink: undefined },
      {
        device: {
          kind: 'virtual',
          name: 'net_af_packet0',
          driver: 'net_af_packet',
          options: [
            ['iface', 'veth0'],
            ['qpairs', '1'],
          ],
        },
        cores: [2],
        sink: { core: 1, buckets: 512 },
      },
    ],
  });
  assert.equal(config.conntrack, {
    ...CONNTRACK_DEFAULTS,
    max_connections: 10,
    on_full: 'evict_oldest',
    udp_inactivity_timeout: 1.5,
    init_data: true,
  });
  assert.equal(config.notes, []);
  assert.equal(parseConfig('offline.mtu = 1500', 'x.toml').notes, ['offline.mtu: no effect in this version']);
});

test('the sections of the monitor switch it on', () => {
  const port = '[[online.ports]]\ndevice = "net_null0"\ncores = [1]\n';
  const both = parseConfig(`[online.monitor.display]\n[online.monitor.log]\ninterval = 50\n${port}`, 'x.toml');
  assert.equal(both.online?.monitor, {
    display: { throughput: true, mempoolUsage: true, portStats: [], interval: 1000 },
    log: { directory: './log/', interval: 50, portStats: ['rx'] },
  });
  assert.equal(both.notes, []);
  const inline = parseConfig(`online.monitor.display.throughput = false\n${port}`, 'x.toml');
  assert.is(inline.online?.monitor.display?.throughput, false);
  assert.is(inline.online?.monitor.log, undefined);
});

test('all faults in one pass, in order of their lines', () => {
  const text = `main_cor = 0
nb_rxd = 3
[mempool]
capacity = "many"
[online]
duration = -1
colour = "blue"
[[online.ports]]
device = "eth0"
cores = [0, 0]
[[online.ports]]
device = "net_null0"
[conntrack]
on_full = "drop"
init_syn = true
`;
  assert.equal(faults(text), [
    'main_cor:1 unknown key; did you mean main_core?',
    'nb_rxd:2 unknown key; nb_rxd belongs in [online]',
    'mempool.capacity:4 "many" is not allowed; it must be a whole number of 255 to 1000000 packets',
    'online.duration:6 -1 is not allowed; it must be a number of 0.001 to 2000000 s',
    'online.colour:7 unknown key; allowed here: duration, nb_rxd, promiscuous, mtu, hardware_assist, dpdk_supl_args, ports, monitor, prometheus',
    'online.ports[0].device:9 "eth0" is no device; it must be a PCI address (0000:3b:00.0) or a virtual device (net_pcap0,rx_pcap=FILE; net_af_packet0,iface=NAME; net_null0; net_ring0)',
    'online.ports[0].cores:10 [0,0] is not allowed; it must be a list of different core numbers, each 0 to 1023',
    'online.ports[1].cores:11 is missing; it must be a list of different core numbers, each 0 to 1023',
    'conntrack.on_full:14 "drop" is not allowed; it must be one of "drop_new", "evict_embryonic", "evict_oldest"',
    'conntrack.init_syn:15 unknown key; did you mean init_synack?',
  ]);
});

test('values that do not go together', () => {
  const port = '[[online.ports]]\ndevice = "net_null0"\ncores = [1]\n';
  assert.equal(faults('[mempool]\ncapacity = 500\ncache_size = 400\n'), [
    'mempool.cache_size:3 400 is too much for a capacity of 500; at most 333',
  ]);
  assert.equal(faults(`[mempool]\ncapacity = 2047\n[online]\nnb_rxd = 2048\n${port}`), [
    'mempool.capacity:2 2047 packets are too few for core 1: 1 queue of 2048 descriptors (online.nb_rxd) need at least 2176',
  ]);
  const sink = (core: number, buckets: number) =>
    `${port}[online.ports.sink]\ncore = ${core}\nnb_buckets = ${buckets}\n`;
  assert.equal(faults(sink(0, 256)), []);
  assert.equal(faults(sink(1, 256)), [
    'online.ports[0].sink.core:5 core 1 receives already; a sink needs a core of its own',
  ]);
  assert.equal(faults(sink(0, 1).replace('[1]', '[1, 2]')), [
    'online.ports[0].sink.nb_buckets:6 1 buckets cannot be spread over 2 cores',
  ]);
  assert.equal(faults(sink(0, 513)), [
    'online.ports[0].sink.nb_buckets:6 513 is not allowed; it must be a whole number of 1 to 512',
  ]);
  assert.equal(faults(`${port}${port}`), ['online.ports[1].device:5 net_null0 is the device of another port already']);
});

test('not TOML, and sections that are none', () => {
  assert.equal(faults('[online]\npromiscuous = tru\n'), ['TOML:2 invalid value']);
  assert.equal(faults('online = 3\n'), ['online:1 must be a section: write [online]']);
  assert.equal(faults('[online.ports]\ndevice = "net_null0"\n'), [
    'online.ports:1 must be an array of tables: write [[online.ports]]',
  ]);
  assert.equal(faults('__proto__ = 1\n').length, 1);
});

test('lines of keys', () => {
  const lines = keyLines(`a = 1
[b]
  "c" = [
  1, 2]
d.e = 3 # f = 4
[[g.h]]
i = 1
[[g.h]]
i = 2
[g.h.j]
k = 1
`);
  assert.equal(
    [...lines].map(([key, line]) => `${key} ${line}`),
    [
      'a 1',
      'b 2',
      'b.c 3',
      'b.d.e 5',
      'g.h[0] 6',
      'g.h[0].i 7',
      'g.h[1] 8',
      'g.h[1].i 9',
      'g.h[1].j 10',
      'g.h[1].j.k 11',
    ],
  );
});

test('devices', () => {
  assert.equal(parseDevice('3b:00.0'), { kind: 'pci', address: '0000:3b:00.0' });
  const pcap = parseDevice('net_pcap0,rx_pcap=a.pcap, rx_pcap=b=c.pcap');
  assert.ok(pcap !== undefined);
  assert.is(deviceArguments(pcap), 'net_pcap0,rx_pcap=a.pcap,rx_pcap=b=c.pcap');
  assert.equal(playedCaptures(pcap), ['a.pcap', 'b=c.pcap']);
  for (const endless of ['net_pcap0,rx_pcap=a,infinite_rx=1', 'net_null0', 'net_pcap0,rx_iface=eth0']) {
    const device = parseDevice(endless);
    assert.ok(device !== undefined);
    assert.equal(playedCaptures(device), []);
  }
  for (const wrong of ['', 'eth0', 'net_', 'net_pcap0,rx_pcap', 'net_null0,', '3b:00.9', 'net_NULL0']) {
    assert.is(parseDevice(wrong), undefined, wrong);
  }
});
test.run();
