/** Drives a SessionParser as the tracker does. */
import * as assert from 'uvu/assert';
import { writeValue } from '../../runtime/dispatch/json-value.ts';
import { Parse, type Session, type SessionParser } from '../../runtime/protocols/contract.ts';
import { written } from './lines.ts';

/** One direction's bytes, or a hole in them. */
export interface Flight {
  readonly fromOrig: boolean;
  readonly bytes?: Uint8Array;
  readonly missed?: number;
}

export const orig = (bytes: Uint8Array): Flight => ({ fromOrig: true, bytes });
export const resp = (bytes: Uint8Array): Flight => ({ fromOrig: false, bytes });

/** How many bytes of a flight come next, of those left. */
export type Cut = (left: number) => number;
export const whole: Cut = (left) => left;

/** Cuts by a list of lengths, over and over. */
export function cutBy(lengths: readonly number[]): Cut {
  let next = 0;
  return (left) => Math.min(left, Math.max(1, lengths[next++ % lengths.length] ?? left));
}

/**
 * Sessions as their receiver would print them. Each piece is handed over in the middle of a buffer that is wiped at once, so
 * that a parser that kept a view of it is found out. Nothing is said to a parser after it stopped.
 */
export function sessionsOf(parser: SessionParser, flights: readonly Flight[], cut: Cut = whole): unknown[] {
  const sessions: Session[] = [];
  const takeAll = () => {
    for (let session = parser.take(); session !== null; session = parser.take()) sessions.push(session);
  };
  let said: Parse = Parse.MORE;
  for (const { fromOrig, bytes, missed } of flights) {
    if (missed !== undefined && missed > 0 && said < Parse.STOP) said = parser.gap(fromOrig, missed);
    for (let at = 0; bytes !== undefined && at < bytes.length && said < Parse.STOP; ) {
      const length = cut(bytes.length - at);
      const room = new Uint8Array(length + 40).fill(0xee);
      room.set(bytes.subarray(at, at + length), 20);
      said = parser.parse(fromOrig, room, 20, length);
      room.fill(0xdd);
      at += length;
      if (said !== Parse.MORE) takeAll();
    }
  }
  parser.end();
  takeAll();
  return sessions.map((session) => JSON.parse(printed(session)));
}

/** A session as JSON, which must be the same straight to a line as through objects. */
function printed(session: Session): string {
  const text = written((out) => writeValue(out, session));
  const expected = JSON.stringify(session);
  if (text !== expected) assert.is(text, expected);
  return text;
}

/** Where a preamble ends: flight, bytes of it left, and what the other side had sent behind its part. Empty if it does not. */
export function switchOf(parser: SessionParser, flights: readonly Flight[], cut: Cut = whole): unknown[] {
  for (const [flight, { fromOrig, bytes = new Uint8Array(), missed = 0 }] of flights.entries()) {
    if (missed > 0 && parser.gap(fromOrig, missed) !== Parse.MORE) return [];
    for (let at = 0; at < bytes.length; ) {
      const length = cut(bytes.length - at);
      const room = new Uint8Array(length + 40).fill(0xee);
      room.set(bytes.subarray(at, at + length), 20);
      const said = parser.parse(fromOrig, room, 20, length);
      room.fill(0xdd);
      at += length;
      if (said === Parse.SWITCH) {
        const left = bytes.length - at + (parser.rest?.() ?? 0);
        return [{ flight, left, early: Buffer.from(parser.early?.() ?? []).toString('hex') }];
      }
      if (said !== Parse.MORE) return [];
    }
  }
  return [];
}
