import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { progressBar } from '../../../runtime/lcore/progress.ts';

const test = suite('lcore/progress');

test('the bar is as long whatever was read, and full only at the end', () => {
  assert.is(progressBar(0), '[--------------------]   0 %');
  assert.is(progressBar(0.274), '[#####---------------]  27 %');
  assert.is(progressBar(0.999), '[###################-]  99 %');
  assert.is(progressBar(1), '[####################] 100 %');
  assert.is(progressBar(1.5), progressBar(1));
});

test.run();
