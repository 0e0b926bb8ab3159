/** `--watch`: does something again whenever one of the files it depends on changes. */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Editors write a file in several steps; what comes within this time is one change. In milliseconds. */
const SETTLE_MS = 60;

/**
 * Runs `work`, which returns the paths that it read, and again after each change of one of them. Folders are watched
 * rather than files, so that files which are replaced, or come to be, count too. Ends when the process does.
 */
export async function watchFiles(work: () => Promise<ReadonlySet<string>>): Promise<never> {
  const watchers = new Map<string, FSWatcher>();
  let paths: ReadonlySet<string> = new Set();
  let wake = (): void => {};
  for (;;) {
    // Changes that come while it runs count for the next time.
    const changed = new Promise<void>((done) => {
      wake = done;
    });
    paths = await work();
    const folders = new Set([...paths].map(dirname).filter((folder) => existsSync(folder)));
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      const watcher = watch(folder, (_event, name) => {
        if (name === null || paths.has(resolve(folder, name))) wake();
      });
      watcher.on('error', () => {
        watcher.close();
        watchers.delete(folder);
      });
      watchers.set(folder, watcher);
    }
    await changed;
    await new Promise((done) => setTimeout(done, SETTLE_MS));
  }
}
