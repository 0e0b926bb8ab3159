import type { L4Pdu } from 'iris-ts/runtime';

export function onFrame(pdu: L4Pdu): void {
  console.log(pdu.ts);
}
