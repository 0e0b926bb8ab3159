/** Pairs requests with responses, which come in the same order (RFC 9112 section 9.3.2). */
import { HttpTransaction } from './transaction.ts';

/** Most bytes of requests that wait for a response; the oldest of more is delivered without. */
const WAITING_MAX = 131072;

export class Exchanges {
  /** Heads of requests without a response yet, oldest first, and their bytes together. */
  private readonly waiting: Uint8Array[] = [];
  /** Where the body of each begins. */
  private readonly waitingBodies: number[] = [];
  private waitingBytes = 0;
  /** Requests that were delivered before their response came: those are delivered alone. */
  private given = 0;
  /** A response that came before its request, as captures of several queues have it. */
  private ahead: Uint8Array | undefined = undefined;
  private aheadBody = -0;
  /** Requests were missed: a response without one is not waiting for one. */
  private holed = false;
  private ready: HttpTransaction[] = [];

  /** Takes the head of a request, whose body begins at `bodyAt` of the stream; whether its response is still to come. */
  request(head: Uint8Array, bodyAt: number): boolean {
    if (this.ahead !== undefined) {
      this.add(new HttpTransaction(head, this.ahead, bodyAt, this.aheadBody));
      this.ahead = undefined;
      return false;
    }
    this.waiting.push(head);
    this.waitingBodies.push(bodyAt);
    this.waitingBytes += head.length;
    while (this.waitingBytes > WAITING_MAX) {
      this.deliver(undefined);
      this.given++;
    }
    return true;
  }

  /** The request that the next response answers. */
  get next(): Uint8Array | undefined {
    return this.given > 0 ? undefined : this.waiting[0];
  }
  /** {@link next}, if nothing else waits. */
  get only(): Uint8Array | undefined {
    return this.waiting.length === 1 ? this.next : undefined;
  }

  /** Takes the head of a final response, to {@link next} if there is one. */
  response(head: Uint8Array, bodyAt: number): void {
    if (this.next !== undefined) this.deliver(head, bodyAt);
    else if (this.given > 0 || this.holed) {
      this.given = Math.max(0, this.given - 1);
      this.add(new HttpTransaction(undefined, head, undefined, bodyAt));
    } else {
      this.deliverAhead();
      this.ahead = head;
      this.aheadBody = bodyAt;
    }
  }

  /** {@link next} is answered elsewhere. */
  drop(): void {
    this.waitingBytes -= this.waiting.shift()?.length ?? 0;
    this.waitingBodies.shift();
  }

  /** Requests may have been missed, behind those that wait. */
  missRequests(): void {
    this.holed = true;
  }
  /** Messages may have been missed: which response belongs to which request cannot be told any more. */
  unpair(): void {
    this.end();
    this.given = 0;
    this.holed = true;
  }

  /** Nothing answers those that wait any more. */
  end(): void {
    this.deliverAhead();
    while (this.waiting.length > 0) this.deliver(undefined);
  }

  add(transaction: HttpTransaction): void {
    this.ready.push(transaction);
  }
  get any(): boolean {
    return this.ready.length > 0;
  }
  take(): HttpTransaction | null {
    return this.ready.shift() ?? null;
  }

  reset(): void {
    this.waiting.length = 0;
    this.waitingBodies.length = 0;
    this.waitingBytes = 0;
    this.given = 0;
    this.ahead = undefined;
    this.holed = false;
    this.ready = [];
  }

  /** Delivers the oldest request. */
  private deliver(response: Uint8Array | undefined, responseBody?: number): void {
    const request = this.waiting.shift();
    const requestBody = this.waitingBodies.shift();
    this.waitingBytes -= request?.length ?? 0;
    this.add(new HttpTransaction(request, response, requestBody, responseBody));
  }

  private deliverAhead(): void {
    if (this.ahead !== undefined) this.add(new HttpTransaction(undefined, this.ahead, undefined, this.aheadBody));
    this.ahead = undefined;
  }
}
