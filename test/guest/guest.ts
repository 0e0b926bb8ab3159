/**
 * A small guest for tests: QEMU without KVM boots Debian's kernel into an own init, which mounts the host's root read-only
 * and runs a script on it. Its network cards have no peer but the test.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '../support/corpus.ts';

/** Kernel modules that the guest needs; those that they depend on are found by themselves. */
const MODULES = [
  ...['virtio_pci', '9pnet_virtio', '9p', 'uio_pci_generic'],
  // What net_tap turns flow rules into.
  ...['tun', 'sch_multiq', 'sch_ingress', 'cls_flower', 'act_gact', 'act_mirred', 'act_skbedit'],
];

/** Whatever happens, a guest ends after this time. */
const GUEST_MS = 480_000;

export interface GuestKernel {
  readonly image: string;
  /** Folder of its modules. */
  readonly modules: string;
}

/** Memory that a guest needs, in kB. */
const GUEST_KB = 2_000_000;

/** The kernel that install.sh unpacked; undefined without it, QEMU or busybox, or where there is no memory for a guest. */
export function guestKernel(): GuestKernel | undefined {
  const free = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  if (Number(free) < GUEST_KB) return undefined;
  const folder = process.env.IRIS_GUEST_KERNEL ?? '/var/lib/iris-guest';
  const boot = join(folder, 'boot');
  const found = existsSync(boot) ? readdirSync(boot).find((name) => name.startsWith('vmlinuz-')) : undefined;
  if (found === undefined || !existsSync('/bin/busybox')) return undefined;
  if (spawnSync('qemu-system-x86_64', ['--version'], { stdio: 'ignore' }).status !== 0) return undefined;
  return { image: join(boot, found), modules: join(folder, 'lib/modules', found.slice('vmlinuz-'.length), 'kernel') };
}

/**
 * The addon built for the guest's processor, in a folder of its own below dist/; built again only when its sources have
 * changed. Returns the folder that takes the place of native/build in the guest.
 */
export function guestAddon(): string {
  const native = join(packageRoot(), 'native');
  const hash = createHash('sha256');
  const sources = ['build.mjs', 'binding.gyp', ...readdirSync(join(native, 'src')).map((name) => join('src', name))];
  for (const name of sources.sort()) hash.update(name).update(readFileSync(join(native, name)));
  const guests = join(packageRoot(), 'dist/guest');
  const folder = join(guests, hash.digest('hex').slice(0, 16));
  if (!existsSync(folder)) {
    rmSync(guests, { recursive: true, force: true });
    const fresh = `${folder}.new`;
    for (const name of sources) cpSync(join(native, name), join(fresh, name));
    execFileSync(process.execPath, [join(fresh, 'build.mjs'), '--required'], {
      env: { ...process.env, IRIS_MARCH: 'x86-64-v2' },
      stdio: 'pipe',
    });
    renameSync(fresh, folder);
  }
  return join(folder, 'build');
}

/** One file of an initial file system in cpio's "newc" format. */
function cpioEntry(name: string, mode: number, data: Uint8Array): Buffer {
  const fields = [0, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
  const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  return Buffer.concat([padded(Buffer.from(head)), padded(data)]);
}

const FOLDER = 0o040755;
const PROGRAM = 0o100755;

/** The initial file system: busybox, the modules, init. */
function initialFileSystem({ modules }: GuestKernel): Buffer {
  const files = readdirSync(modules, { recursive: true, encoding: 'utf8' });
  const none = new Uint8Array();
  const entries = ['bin', 'proc', 'sys', 'dev', 'modules', 'host'].map((name) => cpioEntry(name, FOLDER, none));
  const loaded: string[] = [];
  const seen = new Set<string>();
  /** Puts the module behind those that it needs. What a kernel does not have as a module is built into it. */
  function load(module: string): void {
    const file = files.find((path) => basename(path).replaceAll('-', '_') === `${module.replaceAll('-', '_')}.ko`);
    if (file === undefined || seen.has(file)) return;
    seen.add(file);
    const data = readFileSync(join(modules, file));
    const needs = /\0depends=([^\0]*)\0/.exec(data.toString('latin1'))?.[1] ?? '';
    for (const need of needs.split(',')) if (need !== '') load(need);
    entries.push(cpioEntry(`modules/${basename(file)}`, PROGRAM, data));
    loaded.push(basename(file));
  }
  for (const module of MODULES) load(module);
  entries.push(
    cpioEntry('modules/order', PROGRAM, Buffer.from(`${loaded.join('\n')}\n`)),
    cpioEntry('bin/busybox', PROGRAM, readFileSync('/bin/busybox')),
    cpioEntry('init', PROGRAM, readFileSync(join(packageRoot(), 'test/guest/init.sh'))),
    cpioEntry('TRAILER!!!', 0, none),
  );
  return Buffer.concat(entries);
}

export interface Guest {
  readonly process: ChildProcess;
  /** What the guest has written to its console. */
  console(): string;
  /** Resolves when the guest is off. */
  readonly off: Promise<void>;
}

/**
 * Boots a guest of three cores on two NUMA nodes, each with 256 MB of hugepages. `exchange` is the folder that host and guest share, under the same
 * path, read and write; `script` runs in the guest with the host's programs; `cards` are QEMU's arguments.
 */
export function bootGuest(kernel: GuestKernel, exchange: string, script: string, cards: readonly string[]): Guest {
  mkdirSync(exchange, { recursive: true });
  const initrd = join(exchange, 'initrd');
  writeFileSync(initrd, initialFileSystem(kernel));
  writeFileSync(join(exchange, 'run.sh'), script);
  const share = (path: string, tag: string, more: string) =>
    `local,path=${path},mount_tag=${tag},security_model=none,multidevs=remap${more}`;
  const child = spawn(
    'qemu-system-x86_64',
    [
      ...'-machine pc -accel tcg,thread=multi -cpu max -smp 3 -m 1536 -display none -serial stdio'.split(' '),
      ...'-object memory-backend-ram,id=m0,size=768M -numa node,nodeid=0,cpus=0-1,memdev=m0'.split(' '),
      ...'-object memory-backend-ram,id=m1,size=768M -numa node,nodeid=1,cpus=2,memdev=m1'.split(' '),
      ...'-monitor none -no-reboot -nodefaults -kernel'.split(' '),
      kernel.image,
      ...['-initrd', initrd],
      '-append',
      `console=ttyS0 quiet loglevel=1 panic=-1 hugepages=256 iris.exchange=${exchange}`,
      ...['-virtfs', share('/', 'host', ',readonly=on'), '-virtfs', share(exchange, 'exchange', '')],
      ...cards,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: GUEST_MS, killSignal: 'SIGKILL' },
  );
  let text = '';
  const collect = (chunk: Buffer) => {
    text += chunk;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return {
    process: child,
    console: () => text,
    off: new Promise((resolve) => child.on('close', () => resolve())),
  };
}
