#!/usr/bin/env node
/** `iris`: one command with all verbs. Only the verb that is asked for is loaded. */
import { Command } from 'commander';
import { packageVersion } from '../../runtime/cli/version.ts';
import { ABI_VERSION } from '../../runtime/packet/layout.ts';

interface Verb {
  readonly name: string;
  readonly description: string;
  load(): Promise<Command>;
}

const VERBS: readonly Verb[] = [
  {
    name: 'compile',
    description: 'compile filter files to typed TypeScript modules and JavaScript',
    load: async () => (await import('./compile.ts')).compileCommand(),
  },
  {
    name: 'run',
    description: 'run a compiled filter, an app or a filter file on a capture or on network ports',
    load: async () => (await import('../../runtime/cli/run.ts')).runCommand(),
  },
  {
    name: 'explain',
    description: 'print what a filter does at every stage of a connection',
    load: async () => (await import('./explain.ts')).explainCommand(),
  },
  {
    name: 'init',
    description: 'write a small filter and its handler, to start from',
    load: async () => (await import('./init.ts')).initCommand(),
  },
  {
    name: 'doctor',
    description: 'say what this machine can do, and how to mend what it cannot',
    load: async () => (await import('../../runtime/cli/doctor.ts')).doctorCommand(),
  },
];

const EXAMPLES = `
Examples:
  $ iris init video                                a filter and a handler to start from
  $ iris compile video.iris                        to video.iris.ts and video.iris.js
  $ iris run video.iris.js --pcap trace.pcap       one JSON line per delivery
  $ iris explain video.iris                        what each stage decides

\`iris VERB --help\` tells more. \`iris-compile\` and \`iris-run\` are compile and run under names of their own.`;

/** What `--version --verbose` prints. */
async function details(): Promise<string> {
  const { PARSERS } = await import('../../runtime/protocols/registry.ts');
  const { node, v8 } = process.versions;
  const rows = [
    ['iris', packageVersion()],
    ['runtime ABI', `${ABI_VERSION}`],
    ['parsers', [...new Set(PARSERS.map((parser) => parser.name))].join(', ')],
    ['node', `${node}, V8 ${v8}`],
    ['platform', `${process.platform} ${process.arch}`],
  ];
  return rows.map(([name = '', value = '']) => `${name.padEnd(12)} ${value}\n`).join('');
}

interface VersionFlags {
  readonly version?: true;
  readonly verbose?: true;
}

async function main(args: readonly string[]): Promise<void> {
  const verb = VERBS.find(({ name }) => name === args[0]);
  const program = new Command('iris')
    .description('Turn a question about network traffic into a program that answers it.')
    .option('-V, --version', 'print the version; with --verbose also what it is made of')
    .option('--verbose', 'with --version: more')
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', EXAMPLES);
  if (verb !== undefined) program.addCommand(await verb.load());
  else {
    for (const { name, description } of VERBS) program.command(name).description(description);
    program.argument('[verb]').action(async (unknown: string | undefined, flags: VersionFlags) => {
      if (unknown !== undefined) program.error(`error: unknown verb '${unknown}'`, { exitCode: 1 });
      if (flags.version === true) process.stdout.write(flags.verbose ? await details() : `${packageVersion()}\n`);
      else program.help({ error: true });
    });
  }
  await program.parseAsync(args, { from: 'user' });
}

// Who reads only the beginning, as `head` does, has what he wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
await main(process.argv.slice(2));
