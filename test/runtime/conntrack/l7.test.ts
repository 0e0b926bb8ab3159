/** Probing, parsing, and letting go, with small parsers of made-up protocols. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Action } from '../../../runtime/conntrack/layout.ts';
import {
  Parse,
  type ParserFactory,
  Probe,
  type Session,
  type SessionParser,
} from '../../../runtime/protocols/contract.ts';
import { Counter } from '../../../runtime/stats/counters.ts';
import { createEngine, type Engine, type EngineOptions, type Frame } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { ACK, FIN, RST, SYN } from '../../support/frames.ts';

const test = suite('application layer');
const T0 = 1_700_000_000;

interface Line extends Session {
  readonly fromOrig: boolean;
  readonly text: string;
}

/**
 * A protocol that announces itself by `magic` and then says lines. `!` stops its parser, `#` makes it throw.
 * `live` counts parsers that are out of the pool.
 */
function lines(magic: string, proto: number, over: readonly ('tcp' | 'udp')[] = ['tcp', 'udp']) {
  const state = { made: 0, resets: 0 };
  function create(): SessionParser {
    state.made++;
    let text = ['', ''];
    let ready: Line[] = [];
    return {
      probe(_fromOrig, bytes, offset, length) {
        const start = Buffer.from(bytes.subarray(offset, offset + length)).toString('latin1');
        if (start.startsWith('throw')) throw new Error('probe');
        if (start.length < magic.length) return magic.startsWith(start) ? Probe.MAYBE : Probe.NO;
        return start.startsWith(magic) ? Probe.YES : Probe.NO;
      },
      parse(fromOrig, bytes, offset, length) {
        const side = fromOrig ? 0 : 1;
        text[side] += Buffer.from(bytes.subarray(offset, offset + length)).toString('latin1');
        if (text[side].includes('#')) throw new Error('parse');
        const parts = text[side].split('\n');
        text[side] = parts.pop() ?? '';
        for (const part of parts) ready.push({ proto, fromOrig, text: part } as Line);
        if (parts.some((part) => part.includes('!'))) return Parse.STOP;
        return parts.length > 0 ? Parse.READY : Parse.MORE;
      },
      gap(fromOrig, missed) {
        ready.push({ proto, fromOrig, text: `gap ${missed}` } as Line);
        return Parse.READY;
      },
      end() {
        text.forEach((rest, i) => {
          if (rest !== '') ready.push({ proto, fromOrig: i === 0, text: `${rest} (end)` } as Line);
        });
      },
      take: () => ready.shift() ?? null,
      reset() {
        state.resets++;
        text = ['', ''];
        ready = [];
      },
    };
  }
  const factory: ParserFactory = { name: magic, proto, over, create };
  return { state, factory };
}

function conversation(pieces: readonly (readonly [from: 'orig' | 'resp', data: string, at?: number, skip?: number])[]) {
  const seq = [101, 501];
  const frames: Frame[] = [
    { ts: T0, bytes: make.tcp({ flags: SYN, seq: 100 }) },
    { ts: T0, bytes: make.tcp(make.back({ flags: SYN | ACK, seq: 500, ack: 101 })) },
    { ts: T0, bytes: make.tcp({ flags: ACK, seq: 101, ack: 501 }) },
  ];
  for (const [from, payload, at = 0, skip = 0] of pieces) {
    const side = from === 'orig' ? 0 : 1;
    const o = { flags: payload === 'RST' ? RST : ACK, seq: seq[side] + skip, ack: seq[1 - side], payload };
    seq[side] += payload.length + skip;
    frames.push({ ts: T0 + at, bytes: make.tcp(side === 0 ? o : make.back(o)) });
  }
  return frames;
}

const ACTIONS = Action.PARSE | Action.TRACK;

function run(frames: readonly Frame[], parsers: readonly ParserFactory[], options: EngineOptions = {}): Engine {
  const engine = createEngine({ actions: ACTIONS, parsers, ...options });
  engine.run(frames);
  return engine;
}

const said = (engine: Engine) =>
  engine.told
    .filter((t) => t.what === 'disc' || t.what === 'session' || t.what === 'end')
    .map((t) => (t.what === 'disc' ? `disc ${t.proto}` : t.what === 'session' ? (t.session as Line).text : `end`));

test('the right one of several parsers is found, and its sessions are told in order', () => {
  const a = lines('AAAA', 1);
  const b = lines('BB', 2);
  const engine = run(
    conversation([
      ['orig', 'BB hello\nworld\n'],
      ['resp', 'fine\n'],
    ]),
    [a.factory, b.factory],
  );
  assert.equal(said(engine), ['disc 2', 'BB hello', 'world', 'fine']);
  engine.drain();
  assert.equal(said(engine).at(-1), 'end');
});

test('undecided bytes are kept and given to the parser, both directions in order of arrival', () => {
  const a = lines('AABBCC', 1);
  const b = lines('AAXX', 2);
  for (const cut of [1, 2, 3, 5]) {
    const start = 'AABBCC one\n';
    const pieces: ['orig' | 'resp', string][] = [['orig', start.slice(0, cut)]];
    pieces.push(['resp', 'AA'], ['orig', start.slice(cut)], ['resp', 'BB two\n']);
    const engine = run(conversation(pieces), [a.factory, b.factory]);
    assert.equal(said(engine), ['disc 1', 'AABBCC one', 'AABB two']);
  }
});

test('the responder may decide', () => {
  const a = lines('AA', 1);
  const engine = run(
    conversation([
      ['resp', 'AA hi\n'],
      ['orig', 'ok\n'],
    ]),
    [a.factory],
  );
  assert.equal(said(engine), ['disc 1', 'AA hi', 'ok']);
});

test('when no parser wants it, that is told once and nothing is parsed', () => {
  const a = lines('AA', 1);
  const engine = run(
    conversation([
      ['orig', 'XX\n'],
      ['orig', 'AA\n'],
      ['resp', 'AA\n'],
    ]),
    [a.factory],
  );
  assert.equal(said(engine), ['disc 0']);
  engine.drain();
  assert.equal(said(engine), ['disc 0', 'end']);
});

test('too many undecided bytes, a gap while probing, and an end while probing are no protocol', () => {
  const magic = 'M'.repeat(300);
  const a = lines(magic, 1);
  const chunk = 'M'.repeat(50);
  const many = run(conversation([1, 2, 3].map(() => ['orig', chunk] as const)), [a.factory], {
    config: { max_probe_bytes: 120 },
  });
  assert.equal(said(many), ['disc 0']);
  const gap = run(
    conversation([
      ['orig', 'M'],
      ['orig', 'M', 0, 5],
      ['orig', 'M', 40],
    ]),
    [a.factory],
  );
  assert.equal(said(gap), ['disc 0']);
  const end = run(
    conversation([
      ['orig', 'M'],
      ['orig', 'RST'],
    ]),
    [a.factory],
  );
  assert.equal(said(end), ['disc 0', 'end']);
  const silent = run(conversation([['orig', 'RST']]), [a.factory]);
  assert.equal(said(silent), ['disc 0', 'end']);
});

test('a plan whose parsers do not run on the transport learns that at once', () => {
  const a = lines('AA', 1, ['udp']);
  assert.equal(said(run(conversation([]), [a.factory])), ['disc 0']);
  const udp = createEngine({ actions: ACTIONS, parsers: [a.factory] });
  udp.run([
    { ts: T0, bytes: make.udp({ payload: 'AA q\n' }) },
    { ts: T0, bytes: make.udp(make.back({ dport: 53, payload: 'r\n' })) },
  ]);
  assert.equal(said(udp), ['disc 1', 'AA q', 'r']);
});

test('a parser that stops goes back to the pool at once, and PARSE is never in force again', () => {
  const a = lines('AA', 1);
  const engine = run(
    conversation([
      ['orig', 'AA x!\n'],
      ['orig', 'more\n'],
    ]),
    [a.factory],
  );
  assert.equal(said(engine), ['disc 1', 'AA x!']);
  assert.is(a.state.resets, 1);
  // The prober and one for all the connections that follow.
  for (let i = 0; i < 10; i++) {
    engine.run(
      [make.tcp({ sport: 900 + i, flags: SYN, seq: 9 }), make.tcp({ sport: 900 + i, seq: 10, payload: 'AA y!\n' })].map(
        (bytes) => ({ ts: T0, bytes }),
      ),
    );
  }
  assert.is(a.state.made, 2);
  assert.is(a.state.resets, 11);
});

test('losing PARSE to a decision stops parsing there: no more sessions', () => {
  const a = lines('AA', 1);
  const engine = run(
    conversation([
      ['orig', 'AA 1\n2\n3\n'],
      ['orig', '4\n'],
    ]),
    [a.factory],
    {
      sub: (core, base) => ({
        onL7EndHdrs(c, session) {
          base.onL7EndHdrs?.(c, session);
          return core.rec[c + 6] & ~Action.PARSE;
        },
      }),
    },
  );
  assert.equal(said(engine), ['disc 1', 'AA 1']);
  assert.is(a.state.resets, 1);
});

test('losing everything at the disclosure drops the connection', () => {
  const a = lines('AA', 1);
  const engine = run(
    conversation([
      ['orig', 'AA 1\n'],
      ['orig', '2\n'],
    ]),
    [a.factory],
    {
      sub: () => ({ onL7OnDisc: () => 0 }),
    },
  );
  assert.equal(
    engine.told.map((t) => t.what),
    ['open', 'clear'],
  );
  assert.is(a.state.resets, 1);
});

test('gaps reach the parser before what follows them; the end asks for what is under way', () => {
  const a = lines('AA', 1);
  const engine = run(
    conversation([
      ['orig', 'AA 1\n'],
      ['orig', '2\nrest', 0, 7],
      ['orig', 'RST', 1],
    ]),
    [a.factory],
  );
  assert.equal(said(engine), ['disc 1', 'AA 1', 'gap 7', '2', 'rest (end)', 'end']);
  const closed = run(
    [
      ...conversation([['orig', 'AA unfinished']]),
      { ts: T0, bytes: make.tcp({ flags: FIN | ACK, seq: 114, ack: 501 }) },
      { ts: T0, bytes: make.tcp(make.back({ flags: FIN | ACK, seq: 501, ack: 115 })) },
      { ts: T0, bytes: make.tcp({ flags: ACK, seq: 115, ack: 502 }) },
    ],
    [a.factory],
  );
  assert.equal(said(closed), ['disc 1', 'AA unfinished (end)', 'end']);
});

test('a parser that throws costs its connection the parsing, and is counted', () => {
  const a = lines('AA', 1);
  const engine = run(
    conversation([
      ['orig', 'AA #\n'],
      ['orig', 'x\n'],
    ]),
    [a.factory],
  );
  engine.drain();
  assert.equal(said(engine), ['disc 1', 'end']);
  const probe = run(conversation([['orig', 'throw']]), [a.factory]);
  assert.equal(said(probe), ['disc 0']);
  assert.is(engine.counters().l7_faults + probe.counters().l7_faults, 2);
});

test('no streams left: the connection counts as unidentified and goes on', () => {
  const a = lines('AA', 1);
  const frames = [1, 2].flatMap((sport) => [
    { ts: T0, bytes: make.tcp({ sport, flags: SYN, seq: 9 }) },
    { ts: T0, bytes: make.tcp({ sport, seq: 10, payload: 'AA y\n' }) },
  ]);
  const engine = run(frames, [a.factory], { config: { max_streams: 1 } });
  engine.drain();
  assert.equal(said(engine), ['disc 1', 'AA y', 'disc 0', 'end', 'end']);
  assert.is(engine.counters().streams_refused, 1);
});

/** As `lines`, but opens a tunnel, which a line `switch` begins. */
function tunnel(magic: string, proto: number): ParserFactory {
  const { factory } = lines(magic, proto);
  return {
    ...factory,
    create() {
      const parser = factory.create();
      let rest = 0;
      return {
        ...parser,
        probe(...args) {
          const said = parser.probe(...args);
          return said === Probe.YES ? Probe.TUNNEL : said;
        },
        parse(fromOrig, bytes, offset, length) {
          const text = Buffer.from(bytes.subarray(offset, offset + length)).toString('latin1');
          const end = text.indexOf('switch\n') + 7;
          if (end < 7) return parser.parse(fromOrig, bytes, offset, length);
          parser.parse(fromOrig, bytes, offset, end);
          rest = length - end;
          return Parse.SWITCH;
        },
        rest: () => rest,
      };
    },
  };
}

test('what is in a tunnel is the protocol of the connection, told when it is known', () => {
  const outer = tunnel('CON', 2);
  const inner = lines('TLS', 1);
  const engine = run(
    conversation([
      ['orig', 'CON x\n'],
      ['resp', 'switch\n'],
      ['orig', 'TL'],
      ['orig', 'S in\n'],
    ]),
    [inner.factory, outer],
  );
  assert.equal(said(engine), ['CON x', 'switch', 'disc 1', 'TLS in']);
});

test('a tunnel may begin within a piece, and hold the protocol that made it', () => {
  const outer = tunnel('CON', 2);
  const other = lines('TLS', 1);
  const engine = run(
    conversation([
      ['orig', 'CON x\n'],
      ['resp', 'switch\nCON y\n'],
      ['resp', 'switch\nTLS z\n'],
    ]),
    [other.factory, outer],
  );
  assert.equal(said(engine), ['CON x', 'switch', 'disc 2', 'CON y', 'switch']);
});

test('a tunnel with something unknown in it, or nothing, is what made it', () => {
  const outer = tunnel('CON', 2);
  const other = lines('TLS', 1);
  for (const [what, at] of [
    ['????', 3],
    ['', 3],
  ] as const) {
    const pieces: ['orig' | 'resp', string][] = [
      ['orig', 'CON x\n'],
      ['resp', 'switch\n'],
      ['orig', what],
    ];
    const engine = run(conversation(pieces), [other.factory, outer]);
    engine.drain();
    assert.equal(said(engine).slice(0, at), ['CON x', 'switch', 'disc 2']);
    assert.is(engine.core.counters[Counter.L7_IDENTIFIED], 1);
    assert.is(engine.core.counters[Counter.L7_UNIDENTIFIED], 0);
  }
});

test('where no other protocol is asked for, one that opens tunnels is known at once', () => {
  const engine = run(conversation([['orig', 'CON x\n']]), [tunnel('CON', 2)]);
  assert.equal(said(engine), ['disc 2', 'CON x']);
});

test.run();
