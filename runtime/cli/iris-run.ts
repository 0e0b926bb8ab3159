#!/usr/bin/env node
/** `iris-run`: the verb `run` under its everyday name. */
import { runCommand } from './run.ts';
import { packageVersion } from './version.ts';

await runCommand('iris-run').version(packageVersion()).parseAsync();
