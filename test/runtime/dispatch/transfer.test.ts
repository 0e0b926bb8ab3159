/** Values that cross threads: what arrives has the class and the contents of what was sent; the rest is refused. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packValues, unpackValues } from '../../../runtime/dispatch/transfer.ts';
import { IrisError } from '../../../runtime/errors.ts';
import { TlsHandshake } from '../../../runtime/protocols/tls/handshake.ts';
import { columnView } from '../../../runtime/subscription/column-view.ts';

const test = suite('dispatch/transfer');

class Seen {
  count = 0;
  sizes = new Uint32Array(2);
  get doubled(): number {
    return this.count * 2;
  }
}

test('plain values, lists and bytes', () => {
  const values = [
    1,
    'two',
    3n,
    null,
    undefined,
    true,
    [1, [2]],
    { at: 'Packet', of: { list: ['a'] } },
    Uint8Array.of(1),
  ];
  assert.equal(unpackValues(packValues(values)), values);
});

test('a class in columns, by flyweight, and its copy', () => {
  const rec = new Int32Array(32);
  const view = columnView({ rec, recF: new Float64Array(rec.buffer) }, Seen, [
    { name: 'count', type: 'u32', word: 1 },
    { name: 'sizes', type: 'u32', word: 2, length: 2 },
  ]);
  rec.set([7, 8, 9], 17);
  const [seen, copy] = unpackValues(packValues([view.at(16), view.copy()])) as [Seen, Seen];
  rec.fill(0);
  for (const one of [seen, copy]) {
    assert.instance(one, Seen);
    assert.is(one.doubled, 14);
    assert.equal([...one.sizes], [8, 9]);
    assert.is(JSON.stringify(one), '{"count":7,"sizes":[8,9]}');
  }
});

test('a session inside other data', () => {
  const [{ session }] = unpackValues(packValues([{ session: new TlsHandshake({}) }])) as [{ session: TlsHandshake }];
  assert.instance(session, TlsHandshake);
  assert.is(session.sni, undefined);
});

test('what would lose its methods is refused', () => {
  class Own {
    #hidden = 1;
    get shown(): number {
      return this.#hidden;
    }
  }
  for (const value of [new Own(), new Map(), () => 1, Symbol('s')]) {
    assert.throws(
      () => packValues([value]),
      (error: unknown) => error instanceof IrisError && /cannot be handed to another thread/.test(error.message),
    );
  }
});

test.run();
