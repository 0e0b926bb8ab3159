/**
 * Types in the editor: a wrong handler, filter or class is an error of tsc at the place of the mistake, and a right one is
 * none. Every line that is wrong says which error it expects: `// TS2551`.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeHost } from '../../compiler/cli/node-host.ts';
import { compile } from '../../compiler/compile.ts';
import { templates } from './support/templates.ts';

const IRIS = `subscribe handshakes(tls: TlsHandshake, ft: FiveTuple) when tls
subscribe packets(pdu: L4Pdu) at InL4Conn when tcp
subscribe flows(conn: ConnRecord, why: FilterStr, how: StateTxData) at L4Terminated when tcp or udp
`;

const FILES: Readonly<Record<string, string>> = {
  'right.ts': `import { defineApp, keep } from 'iris-ts/runtime';
import { create } from './app.iris.ts';

const kept: unknown[] = [];
export default defineApp(create, {
  handshakes(tls) { kept.push(keep(tls), tls.sni?.length); },
  packets: (pdu) => pdu.length < 100,
  flows(conn, why, how) { if (how.at === 'L4Terminated') kept.push(conn.packets[0], why.length, how.ended); },
});
`,
  'wrong-handlers.ts': `import { defineApp, type HttpTransaction, type L4Pdu, type TlsHandshake } from 'iris-ts/runtime';
import { create, type Handlers } from './app.iris.ts';

export const a = defineApp(create, {
  handshakes(tls: HttpTransaction) { return tls.uri; }, // TS2322
});
export const b = defineApp(create, {
  handshake(tls: TlsHandshake) { return tls.sni; }, // TS2561
});
export const c: Handlers = {
  handshakes: (tls) => { tls.snii; }, // TS2551
  packets: () => 'more', // TS2322
};
export const d: Handlers = {
  flows: (conn) => { conn.packets.toUpperCase(); }, // TS2339
  packets: (pdu: L4Pdu, again: boolean) => pdu.fromOrig === again, // TS2322
};
export const e: Handlers = {
  flows: (_conn, why, how) => { how.pdu; why.toFixed(); }, // TS2339 TS2551
};
`,
  'wrong-code.ts': `import { Accept, callback, Continue, datatype, Drop, type FiveTuple, filter, type L4Pdu, on } from 'iris-ts/runtime';

export const yes = filter('L4FirstPacket', (_ft: FiveTuple) => 'yes'); // TS2769
export const where = filter('L4First', (_ft: FiveTuple) => Accept); // TS2769
export const fine = filter('InL4Conn', (pdu: L4Pdu) => (pdu.length > 9 ? Accept : pdu.length > 5 ? Drop : Continue));

@callback
export class Watch {
  @on('InL4Con') packet(pdu: L4Pdu): boolean { // TS2345
    return pdu.fromOrg; // TS2551
  }
  @on() end(): void {} // TS2555
}
@filter({ level: 'InL4Conn' }) // TS1238 TS2353
export class Busy {
  ask(_pdu: L4Pdu): boolean { return true; }
}
export class Mine {
  @filter({ at: 'L4FirstPacket' }) static near(ft: FiveTuple): boolean { return ft.origPort > 5; }
  @filter({ at: 'InL4Con' }) static far(_pdu: L4Pdu) { return Accept; } // TS1241 TS2820
  @filter({ at: 'InL4Conn' }) mine(_pdu: L4Pdu) { return Accept; } // TS1241
  @filter({ at: 'InL4Conn' }) static said(_pdu: L4Pdu) { return 'yes'; } // TS1241
}
@datatype({ expensiv: true }) // TS2561
export class Notes {
  @on('InL4Conn') note(pdu: L4Pdu): void { pdu.copy(); }
}
`,
};

/** `FILE:LINE CODE` of what the files say is wrong with them. */
function marked(): readonly string[] {
  return Object.entries(FILES).flatMap(([file, text]) =>
    text.split('\n').flatMap((line, i) => {
      const codes = /\/\/ ((?:TS\d+ ?)+)$/.exec(line)?.[1] ?? '';
      return codes === ''
        ? []
        : codes
            .trim()
            .split(' ')
            .map((code) => `${file}:${i + 1} ${code}`);
    }),
  );
}

const types = suite('types in the editor');

types('a mistake is an error where it was made, and nowhere else', () => {
  const host = nodeHost();
  const folder = join(host.packageRoot, 'dist/test/compiler/typed');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const source = { path: join(folder, 'app.iris'), text: IRIS };
  const { text = '' } = compile(source, { files: host, templates: templates(), version: '0', parsers: ['tls'] });
  writeFileSync(join(folder, 'app.iris.ts'), text);
  for (const [file, own] of Object.entries(FILES)) writeFileSync(join(folder, file), own);
  const compilerOptions = {
    strict: true,
    module: 'NodeNext',
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Decorators'],
    types: ['node'],
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  let told = '';
  try {
    const tsc = join(host.packageRoot, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8', cwd: folder });
  } catch (error) {
    told = error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  }
  const found = [...told.matchAll(/^(\S+)\((\d+),\d+\): error (TS\d+)/gm)].map(
    ([, file, line, code]) => `${file}:${line} ${code}`,
  );
  assert.equal(found.sort(), [...marked()].sort(), told);
});

types.run();
