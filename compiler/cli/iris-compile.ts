#!/usr/bin/env node
/** `iris-compile`: the verb `compile` under its everyday name. */
import { packageVersion } from '../../runtime/cli/version.ts';
import { compileCommand } from './compile.ts';

await compileCommand('iris-compile').version(packageVersion()).parseAsync();
