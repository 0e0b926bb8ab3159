/** The verb `init`: a small filter with a handler, to start from. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { printError } from '../../runtime/cli/print-error.ts';
import { ExitCode, IrisError } from '../../runtime/errors.ts';

const filterText = (
  name: string,
): string => `# ${name}.iris: compile it with \`npx iris-compile ${name}.iris\`, run it with
# \`npx iris-run ${name}.iris.js --pcap FILE\`.
use { onExample } from "./${name}-handlers.ts"

# Without a handler every delivery becomes one JSON line.
subscribe handshakes(tls: TlsHandshake, ft: FiveTuple)
  when tls

# Handled by a function of ${name}-handlers.ts.
subscribe onExample when tls.sni matches '(^|\\.)example\\.(com|org)$'
`;

const handlersText = (
  name: string,
): string => `/** Handlers of ${name}.iris. Their parameters say which data they want. */
import type { FiveTuple, TlsHandshake } from 'iris-ts/runtime';

export function onExample(tls: TlsHandshake, ft: FiveTuple): void {
  console.log(tls.sni, JSON.stringify(ft));
}
`;

/** The command. Its action sets \`process.exitCode\`. */
export function initCommand(): Command {
  return new Command('init')
    .description('Write a small filter and its handler, to start from.')
    .argument('<name>', 'name of the filter: letters, digits, - and _')
    .option('--dir <folder>', 'where to write them', '.')
    .showHelpAfterError('(--help shows what there is)')
    .action((name: string, flags: { readonly dir: string }) => {
      process.exitCode = init(name, flags.dir);
    });
}

function init(name: string, folder: string): number {
  try {
    if (!/^[A-Za-z][\w-]*$/.test(name)) {
      throw new IrisError(
        ExitCode.USAGE,
        `${name}: not a name`,
        'use letters, digits, - and _, starting with a letter',
      );
    }
    const files = [
      { path: join(folder, `${name}.iris`), text: filterText(name) },
      { path: join(folder, `${name}-handlers.ts`), text: handlersText(name) },
    ];
    const there = files.find(({ path }) => existsSync(path));
    if (there !== undefined)
      throw new IrisError(ExitCode.USAGE, `${there.path}: exists already`, 'choose another name');
    mkdirSync(folder, { recursive: true });
    for (const { path, text } of files) writeFileSync(path, text, { flag: 'wx' });
    process.stdout.write(
      `wrote ${files.map(({ path }) => path).join(', ')}\nnext: npx iris-compile ${files[0]?.path ?? ''}\n`,
    );
    return ExitCode.OK;
  } catch (error) {
    if (error instanceof Error && 'code' in error) {
      return printError(new IrisError(ExitCode.USAGE, `${folder}: cannot be written: ${String(error.code)}`));
    }
    return printError(error);
  }
}
