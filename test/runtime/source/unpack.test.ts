/** Packed captures: the same packets as unpacked, several members and frames, faults at their place. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../runtime/errors.ts';
import { buildPcap, buildPcapng, captureFolder } from '../../support/captures.ts';
import { readCapture } from '../../support/read-capture.ts';

const test = suite('packed captures');
const folder = captureFolder();
test.after(() => folder.remove());

const PACKETS = Array.from({ length: 3000 }, (_, i) => ({
  sec: 1000 + i,
  nsec: 0,
  bytes: new Uint8Array(1000).map((_, k) => (i * 7 + k * k) & 0xff),
}));
const PLAIN = buildPcap(PACKETS);
const hasZstd = spawnSync('zstd', ['--version']).status === 0;

function zstd(bytes: Uint8Array, ...options: string[]): Buffer {
  return execFileSync('zstd', ['-q', '-c', ...options], { input: bytes, maxBuffer: 1 << 26 });
}

/** A capture of many windows and rings, packed somehow, gives the packets that went in. */
function givesAll(name: string, bytes: Uint8Array): void {
  const { packets, error, stats } = readCapture(folder.write(name, bytes), { windowBytes: 4096 });
  assert.is(error, undefined);
  assert.is(packets.length, PACKETS.length);
  packets.forEach((packet, i) => {
    assert.is(packet.sec, PACKETS[i]?.sec);
    assert.ok(Buffer.from(packet.bytes).equals(PACKETS[i]?.bytes ?? new Uint8Array()));
  });
  assert.is(stats?.packets, PACKETS.length);
}

test('gzip, whatever the file is called', () => {
  givesAll('a.pcap.gz', gzipSync(PLAIN));
  givesAll('b.pcap', gzipSync(PLAIN, { level: 0 }));
});

test('gzip members strung together', () => {
  givesAll('c.pcap.gz', Buffer.concat([gzipSync(PLAIN.subarray(0, 77)), gzipSync(PLAIN.subarray(77))]));
});

test('pcapng in gzip', () => {
  const bytes = buildPcapng([
    { kind: 'section', littleEndian: false },
    { kind: 'interface' },
    { kind: 'enhanced', stamp: 5n, bytes: new Uint8Array(20) },
  ]);
  assert.is(readCapture(folder.write('d.gz', gzipSync(bytes))).packets.length, 1);
});

test('cut gzip data: what was there, then the fault', () => {
  const packed = gzipSync(PLAIN);
  const half = packed.subarray(0, packed.length >> 1);
  const { packets, error } = readCapture(folder.write('cut.gz', half));
  assert.ok(packets.length > 100 && packets.length < PACKETS.length, `${packets.length} packets`);
  assert.instance(error, InputError);
  assert.ok((error as Error).message.endsWith(`cut.gz: byte ${half.length}: the gzip data is cut short`));
  // Cut behind the last byte of data, where only the checksum is missing.
  const late = readCapture(folder.write('late.gz', packed.subarray(0, packed.length - 4)));
  assert.is(late.packets.length, PACKETS.length);
  assert.match((late.error as Error).message, 'cut short');
});

test('corrupt gzip data: all before the fault, and its byte', () => {
  // The second member begins with a block of no known kind.
  const [first, second] = [gzipSync(PLAIN.subarray(0, 500_000)), gzipSync(PLAIN.subarray(500_000))];
  second.fill(0xff, 10, 20);
  const { packets, error } = readCapture(folder.write('bad.gz', Buffer.concat([first, second])));
  assert.is(packets.length, Math.floor((500_000 - 24) / 1016));
  assert.match((error as Error).message, `bad.gz: byte ${first.length + 10}: the gzip data is corrupt`);
});

test('rubbish behind gzip data', () => {
  const packed = gzipSync(PLAIN);
  const { packets, error } = readCapture(folder.write('rubbish.gz', Buffer.concat([packed, Buffer.from('rubbish')])));
  assert.is(packets.length, PACKETS.length);
  const [, place] = /rubbish\.gz: byte (\d+): the gzip data is corrupt/.exec((error as Error).message) ?? [];
  assert.ok(Number(place) >= packed.length && Number(place) <= packed.length + 2, `byte ${place} of ${packed.length}`);
  givesAll('zeros.gz', Buffer.concat([packed, Buffer.alloc(600)]));
});

test('a fault of the capture inside names its byte there', () => {
  const { error } = readCapture(folder.write('short.gz', gzipSync(PLAIN.subarray(0, 24 + 1016 + 50))));
  assert.match((error as Error).message, /short\.gz \(unpacked\): byte 1040: the file is cut short/);
});

test('packed, and no capture', () => {
  const { error } = readCapture(folder.write('text.gz', gzipSync('hello, world, this is text')));
  assert.match((error as Error).message, /text\.gz \(unpacked\): byte 0: not a capture: it is text/);
  const twice = readCapture(folder.write('twice.gz', gzipSync(gzipSync(PLAIN)))).error;
  assert.match((twice as Error).message, 'this is gzip data');
  const nothing = readCapture(folder.write('nothing.gz', gzipSync(''))).error;
  assert.match((nothing as Error).message, 'nothing.gz (unpacked): is empty');
});

test('closed before its end', () => {
  for (let i = 0; i < 20; i++) {
    const path = folder.write('closed.gz', gzipSync(PLAIN));
    assert.is(readCapture(path, {}, 1).packets.length, PACKETS.length);
  }
});

if (hasZstd) {
  test('zstd, frames strung together, frames to be skipped', () => {
    givesAll('a.zst', zstd(PLAIN));
    givesAll('b.zst', zstd(PLAIN, '--long=27', '-19'));
    givesAll('d.zst', Buffer.concat([Buffer.from('532a4d180100000061', 'hex'), zstd(PLAIN)]));
    const skipped = Buffer.from('502a4d180400000061626364', 'hex');
    givesAll('c.zst', Buffer.concat([zstd(PLAIN.subarray(0, 5000)), skipped, zstd(PLAIN.subarray(5000))]));
  });

  test('faults of zstd data', () => {
    const packed = zstd(PLAIN, '-B65536', '--no-check');
    const cut = readCapture(folder.write('cut.zst', packed.subarray(0, packed.length >> 1)));
    assert.match((cut.error as Error).message, /cut\.zst: byte \d+: the zstd data is cut short/);
    const second = zstd(PLAIN.subarray(50_000)).fill(0xff, 4, 40);
    const bad = readCapture(folder.write('bad.zst', Buffer.concat([zstd(PLAIN.subarray(0, 50_000)), second])));
    assert.match((bad.error as Error).message, 'the zstd data is corrupt');
    assert.is(bad.packets.length, Math.floor((50_000 - 24) / 1016));
  });
} else {
  test.skip('zstd: its command is not installed', () => {});
}

test('unpacked on the standard input', () => {
  const script = `
    import { openCapture } from ${JSON.stringify(new URL('../../../runtime/source/capture.js', import.meta.url).href)};
    const source = openCapture('-');
    const pkt = new Int32Array(66 * 32);
    while (source.poll(pkt, 64) >= 0) {}
    source.close();
    console.log(source.stats.packets);`;
  const path = folder.write('stdin.gz', gzipSync(PLAIN));
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    input: readFileSync(path),
    encoding: 'utf8',
  });
  assert.is(stderr, '');
  assert.is(stdout.trim(), String(PACKETS.length));
});

test.run();
