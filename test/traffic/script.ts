/**
 * Scripts: the whole course of one kind of connection, packet by packet, with sequence numbers relative to the initial
 * ones. A stretch of a script can repeat any number of times, so that a connection of gigabytes is a short script.
 */

/** TCP flags as in RFC 9293 section 3.1. */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;

const NOTHING = new Uint8Array(0);

/** 0: from the originator; 1: from the responder. */
export type Dir = 0 | 1;

/** Something one side says in one go. `split`: byte positions where a segment must end, besides every full one. */
export interface Message {
  readonly dir: Dir;
  readonly bytes: Uint8Array;
  readonly split?: readonly number[];
}

/** One packet of a script. */
export interface Segment {
  readonly dir: Dir;
  /** TCP flags; 0 for UDP. */
  readonly flags: number;
  /** Relative to the initial sequence number of the sender, respectively of the other side. */
  readonly seq: number;
  readonly ack: number;
  readonly payload: Uint8Array;
}

export interface Script {
  readonly proto: 6 | 17;
  readonly segments: readonly Segment[];
  /** Segments `from`..`to` - 1 may repeat; each repetition moves the sequence numbers on by `delta`. */
  readonly loop: { readonly from: number; readonly to: number; readonly delta: readonly [number, number] } | undefined;
}

/** fin: closed by both sides; rst: aborted; open: just stops. */
export type Ending = 'fin' | 'rst' | 'open';

export interface TcpScriptOptions {
  readonly messages: readonly Message[];
  readonly loop?: readonly Message[];
  readonly mss: number;
  readonly ending: Ending;
  /** Who closes or aborts. */
  readonly closer: Dir;
}

export function tcpScript({ messages, loop, mss, ending, closer }: TcpScriptOptions): Script {
  const segments: Segment[] = [];
  const next: [number, number] = [0, 0];
  const acknowledged: [number, number] = [0, 0];

  function push(dir: Dir, flags: number, payload: Uint8Array = NOTHING): void {
    const other = (1 - dir) as Dir;
    segments.push({ dir, flags, seq: next[dir], ack: flags & ACK ? next[other] : 0, payload });
    if (flags & ACK) acknowledged[other] = next[other];
    next[dir] += payload.length + (flags & (SYN | FIN) ? 1 : 0);
  }

  function acknowledge(dir: Dir): void {
    if (acknowledged[dir] !== next[dir]) push((1 - dir) as Dir, ACK);
  }

  /** Full segments, every second one acknowledged on its own; the last one waits for an answer that carries the ACK. */
  function send({ dir, bytes, split = [] }: Message): void {
    const ends = [...split, bytes.length];
    let at = 0;
    let unanswered = 0;
    for (const end of ends) {
      while (at < end) {
        const to = Math.min(at + mss, end);
        push(dir, to === bytes.length ? ACK | PSH : ACK, bytes.subarray(at, to));
        at = to;
        unanswered++;
        if (unanswered === 2 && at < bytes.length) {
          acknowledge(dir);
          unanswered = 0;
        }
      }
    }
  }

  function sendAll(list: readonly Message[]): void {
    list.forEach((message, i) => {
      send(message);
      if (list[i + 1]?.dir !== 1 - message.dir) acknowledge(message.dir);
    });
  }

  push(0, SYN);
  push(1, SYN | ACK);
  push(0, ACK);
  sendAll(messages);
  let repeated: Script['loop'];
  if (loop !== undefined && loop.length > 0) {
    const from = segments.length;
    const before = [next[0], next[1]] as const;
    sendAll(loop);
    repeated = { from, to: segments.length, delta: [next[0] - before[0], next[1] - before[1]] };
  }
  if (ending === 'rst') push(closer, RST | ACK);
  if (ending === 'fin') {
    push(closer, FIN | ACK);
    push((1 - closer) as Dir, FIN | ACK);
    push(closer, ACK);
  }
  return { proto: 6, segments, loop: repeated };
}

/** Each message is a datagram. */
export function udpScript(messages: readonly Message[], loop: readonly Message[] = []): Script {
  const segments = [...messages, ...loop].map(
    ({ dir, bytes }): Segment => ({ dir, flags: 0, seq: 0, ack: 0, payload: bytes }),
  );
  const from = messages.length;
  return { proto: 17, segments, loop: loop.length > 0 ? { from, to: segments.length, delta: [0, 0] } : undefined };
}

/** A SYN that nobody answers. */
export const SYN_SCRIPT: Script = {
  proto: 6,
  segments: [{ dir: 0, flags: SYN, seq: 0, ack: 0, payload: NOTHING }],
  loop: undefined,
};
