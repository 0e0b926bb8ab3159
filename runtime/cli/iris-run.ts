#!/usr/bin/env node
/** `iris-run`: the verb `run` under its everyday name. */
import { runCommand } from './run.ts';

await runCommand('iris-run').parseAsync();
