import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Column } from '../../../runtime/subscription/column.ts';
import { columnView, keep } from '../../../runtime/subscription/column-view.ts';

const test = suite('columnView');

class Sample {
  small = 0;
  wide = 0;
  time = -1;
  flag = false;
  pair = new Uint32Array(2);
  times = new Float64Array(2);
  get sum(): number {
    return this.pair[0] + this.pair[1];
  }
  rename(to: number): void {
    this.wide = to;
  }
}

const COLUMNS: readonly Column[] = [
  { name: 'small', type: 'u8', word: 4 },
  { name: 'wide', type: 'u32', word: 5 },
  { name: 'time', type: 'f64', word: 6 },
  { name: 'flag', type: 'bool', word: 8 },
  { name: 'pair', type: 'u32', word: 9, length: 2 },
  { name: 'times', type: 'f64', word: 12, length: 2 },
];

function records(): { rec: Int32Array; recF: Float64Array } {
  const rec = new Int32Array(48);
  return { rec, recF: new Float64Array(rec.buffer) };
}

test('fields, getters and methods work on the record it points at', () => {
  const { rec, recF } = records();
  const view = columnView({ rec, recF }, Sample, COLUMNS);
  rec[16 + 5] = -1;
  rec[16 + 9] = -2;
  rec[16 + 10] = 3;
  recF[(16 + 6) >> 1] = 1.5;
  rec[32 + 8] = 1;
  const one = view.at(16);
  assert.instance(one, Sample);
  assert.is(one.wide, 0xffffffff);
  assert.is(one.time, 1.5);
  assert.is(one.flag, false);
  assert.is(one.sum, 0xfffffffe + 3);
  assert.instance(one.pair, Uint32Array);
  assert.equal([...one.pair], [0xfffffffe, 3]);
  one.rename(7);
  one.small = 257;
  one.time = 2.25;
  one.flag = true;
  assert.equal([rec[16 + 5], rec[16 + 4], recF[(16 + 6) >> 1], rec[16 + 8]], [7, 1, 2.25, 1]);
  assert.is(view.at(32), one, 'there is one flyweight');
  assert.is(one.flag, true);
  assert.is(one.wide, 0);
});

test('JSON has the fields in order, typed arrays as arrays', () => {
  const { rec, recF } = records();
  rec[16 + 9] = 5;
  const view = columnView({ rec, recF }, Sample, COLUMNS);
  const text = '{"small":0,"wide":0,"time":0,"flag":false,"pair":[5,0],"times":[0,0]}';
  assert.is(JSON.stringify(view.at(16)), text);
  assert.is(JSON.stringify(view.copy()), text);
});

test("the class' own toJSON and copy win", () => {
  class Own extends Sample {
    toJSON(): string {
      return `own ${this.wide}`;
    }
    copy(): string {
      return 'mine';
    }
  }
  const view = columnView(records(), Own, COLUMNS);
  assert.is(JSON.stringify(view.at(16)), '"own 0"');
  assert.is(view.at(16).copy(), 'mine');
  assert.is(JSON.stringify(view.copy()), '"own 0"');
});

test('a copy stays when the flyweight moves and the record changes', () => {
  const { rec, recF } = records();
  const view = columnView({ rec, recF }, Sample, COLUMNS);
  rec[16 + 5] = 1;
  rec[16 + 10] = 2;
  const kept = keep(view.at(16));
  rec.fill(9);
  view.at(32);
  assert.instance(kept, Sample);
  assert.is(kept.wide, 1);
  assert.equal([...kept.pair], [0, 2]);
  assert.is(keep(kept).sum, 2);
  kept.wide = 5;
  assert.is(kept.wide, 5);
});

test('followers point at the same connection', () => {
  class Ends {
    constructor(public c = 0) {}
    at(c: number): this {
      this.c = c;
      return this;
    }
    copy(): Ends {
      return new Ends(this.c);
    }
  }
  class WithEnds {
    declare readonly ends: Ends;
    n = 0;
    get where(): number {
      return this.ends.c + this.n;
    }
  }
  const { rec, recF } = records();
  const view = columnView({ rec, recF }, WithEnds, [{ name: 'n', type: 'i32', word: 0 }], { ends: new Ends() });
  rec[32] = -2;
  assert.is(view.at(32).where, 30);
  const kept = view.copy();
  assert.is(view.at(16).where, 16);
  assert.is(kept.where, 30);
  assert.is(JSON.stringify(kept), '{"n":-2}');
});

test('keep gives what is no flyweight back', () => {
  const value = { a: 1 };
  assert.is(keep(value), value);
});

test.run();
