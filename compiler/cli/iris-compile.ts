#!/usr/bin/env node
/** `iris-compile`: the verb `compile` under its everyday name. */
import { compileCommand } from './compile.ts';

await compileCommand('iris-compile').parseAsync();
