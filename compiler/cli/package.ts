/** What the installed package says of itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeHost } from './node-host.ts';

/** Folder of the package: the one that holds package.json, templates/ and runtime/. */
export const PACKAGE_ROOT = nodeHost().packageRoot;

/** Version of the package. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { version: string };
  return version;
}
