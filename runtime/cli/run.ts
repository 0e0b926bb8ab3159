/** The verb `run`, alone known as `iris-run`: a program on a capture or on network ports. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Config, defaultConfig, parseConfig } from '../config/config.ts';
import { ExitCode, IrisError } from '../errors.ts';
import { capturePaths } from '../source/capture-paths.ts';
import { inputError } from '../source/read-window.ts';
import { jsonLine, printError } from './print-error.ts';

interface Flags {
  readonly pcap?: readonly string[];
  /** Arguments behind the program. */
  readonly captures: readonly string[];
  readonly config?: string;
  readonly out?: string;
  readonly strict: boolean;
  readonly cores?: number;
  readonly maxConnections?: number;
  readonly quiet: boolean;
  readonly json: boolean;
  readonly explain: boolean;
}

const EXAMPLES = `
Examples:
  $ iris-run sni.iris.js --pcap trace.pcap                   one JSON line per delivery, a summary on stderr
  $ iris-run sni.iris.js --pcap trace.pcap --cores 4         the same lines, sooner
  $ iris-run sni.iris.js --pcap monday.pcap.gz tuesday*      several, packed or not, in the order of time
  $ iris-run sni.iris --pcap trace.pcap | head               compiles the filter first
  $ iris-run sni.iris --pcap trace.pcap --explain            and tells what it decided how often
  $ tcpdump -i eth0 -w - | iris-run sni.iris.js --pcap -     from the standard input
  $ sudo iris-run sni.iris.js --config online.toml           on network ports, through DPDK

With --cores every thread runs the program for itself on its share of the connections: variables of a module are the
thread's own, and add up a part of the traffic only. Lines come merged, in the order that one thread gives.

Exit codes: 0 done, 1 wrong usage or program, 2 broken input, 3 device, 130 or 143 stopped by a signal.`;

/** The command, under the name it has for its user. Its action sets `process.exitCode`. */
export function runCommand(name: 'run' | 'iris-run' = 'run'): Command {
  return new Command(name)
    .description('Run a compiled filter, an app or a filter file on a capture or on network ports.')
    .argument('<program>', '.iris.js that iris-compile wrote, an app file (.js), or a filter (.iris) to compile first')
    .argument('[captures...]', 'more files for --pcap')
    .addOption(
      new Option(
        '--pcap <file>',
        'read a pcap or pcapng file (.gz, .zst too), or several in time order; - reads stdin',
      ).argParser((file: string, files: readonly string[] = []) => [...files, file]),
    )
    .addOption(new Option('--config <file>', 'read settings, and network ports if any, from a TOML file'))
    .addOption(new Option('--cores <n>', 'share a capture among n threads, with the same output').argParser(cores))
    .addOption(new Option('--out <file>', 'write lines to a file instead of the standard output'))
    .addOption(new Option('--max-connections <n>', 'connections tracked at a time, per core').argParser(positive))
    .option('--strict', 'stop at the first exception of user code', false)
    .option('--quiet', 'print no summary', false)
    .option('--json', 'write notes, figures and the summary as JSON lines on the standard error', false)
    .option('--explain', 'a filter (.iris) only: print its decisions at the end, with how often each was taken', false)
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', EXAMPLES)
    .action(async (program: string, captures: readonly string[], flags: Omit<Flags, 'captures'>) => {
      process.exitCode = await run(program, { ...flags, captures });
    });
}

/** Runs `program` and returns the exit code; everything that goes wrong is printed. */
async function run(program: string, flags: Flags): Promise<number> {
  if (!flags.explain) return runProgram(program, flags);
  try {
    const { explainRun } = await import('../../compiler/cli/explain-run.ts');
    return await explainRun(program, (module) => runProgram(module, flags));
  } catch (error) {
    return printError(error, flags.json);
  }
}

async function runProgram(program: string, flags: Flags): Promise<number> {
  try {
    const config = flags.config === undefined ? defaultConfig() : readConfig(flags.config);
    const pcaps = capturesOf(config, flags);
    for (const note of config.notes)
      process.stderr.write(flags.json ? jsonLine({ kind: 'note', text: note }) : `note: ${note}\n`);
    const path = program.endsWith('.iris') ? await compileFirst(program) : program;
    const { out, strict, quiet, json, maxConnections } = flags;
    const settings = { out, strict, quiet, json, maxConnections };
    if (pcaps === undefined) {
      if (flags.cores !== undefined) {
        throw new IrisError(
          ExitCode.USAGE,
          '--cores is for captures',
          `the cores of a port stand in ${flags.config}: [[online.ports]] cores = [1, 2]`,
        );
      }
      const { runOnline } = await import('../lcore/online.ts');
      return await runOnline(path, config, settings);
    }
    const { runOffline } = await import('./offline.ts');
    return await runOffline(path, pcaps, config, { ...settings, cores: flags.cores ?? 1 });
  } catch (error) {
    return printError(error, flags.json);
  }
}

/** The captures to read; undefined when packets come from network ports. */
function capturesOf(config: Config, flags: Flags): string[] | undefined {
  if (flags.pcap !== undefined) return capturePaths([...flags.pcap, ...flags.captures]);
  const [more] = flags.captures;
  if (more !== undefined) {
    throw new IrisError(ExitCode.USAGE, `what is ${more}?`, 'captures follow --pcap: iris-run APP --pcap FILE FILE');
  }
  if (flags.config === undefined) {
    throw new IrisError(ExitCode.USAGE, 'where do the packets come from?', 'say --pcap FILE or --config FILE.toml');
  }
  if (config.online !== undefined && config.offline.pcap !== undefined) {
    throw new IrisError(
      ExitCode.USAGE,
      `${flags.config}: has both ports ([[online.ports]]) and a capture (offline.pcap)`,
      'remove one of them, or say --pcap FILE',
    );
  }
  if (config.online === undefined && config.offline.pcap === undefined) {
    throw new IrisError(
      ExitCode.USAGE,
      `${flags.config}: names neither a port ([[online.ports]]) nor a capture (offline.pcap)`,
      'add one of them, or say --pcap FILE',
    );
  }
  return config.offline.pcap === undefined ? undefined : capturePaths([config.offline.pcap]);
}

/** Reads a configuration file. Throws IrisError for what is wrong with it. */
export function readConfig(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { message } = inputError(file, undefined, error);
    throw new IrisError(ExitCode.USAGE, message.replace('not a capture', 'not a configuration'));
  }
  return parseConfig(text, file);
}

/** Compiles a filter file as iris-compile does; returns the path of the JavaScript module. */
async function compileFirst(file: string): Promise<string> {
  const { compileFile } = await import('../../compiler/cli/compile.ts');
  const result = await compileFile(file);
  return result.js;
}

function cores(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 128) {
    throw new InvalidArgumentError('a whole number from 1 to 128 is needed');
  }
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 16_000_000) {
    throw new InvalidArgumentError('a whole number from 1 to 16000000 is needed');
  }
  return value;
}
