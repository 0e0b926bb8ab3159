import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { errorMessage, exitCodeOf } from '../../../runtime/cli/print-error.ts';
import { DeviceError, InputError } from '../../../runtime/errors.ts';

const test = suite('cli/print-error');

test('errors of the user: message, then the hint, no stack', () => {
  const device = new DeviceError('no hugepages', 'echo 512 > /proc/sys/vm/nr_hugepages');
  assert.is(errorMessage(device), 'error: no hugepages\n  echo 512 > /proc/sys/vm/nr_hugepages\n');
  assert.is(exitCodeOf(device), 3);
  const input = new InputError('x.pcap', 24, 'the file is cut short');
  assert.is(errorMessage(input, true), 'error: x.pcap: byte 24: the file is cut short\n');
  assert.is(exitCodeOf(input), 2);
});

test('faults of ours: the stack only when asked for', () => {
  const fault = new TypeError('undefined is not a function');
  assert.match(errorMessage(fault, false), /^internal error: undefined is not a function\n {2}.*IRIS_DEBUG=1.*\n$/);
  assert.match(errorMessage(fault, true), /^internal error: TypeError: .*\n {4}at /);
  assert.is(errorMessage('thrown text', true), 'internal error: thrown text\n');
  assert.is(exitCodeOf(fault), 70);
});

test.run();
