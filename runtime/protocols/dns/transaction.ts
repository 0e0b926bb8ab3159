/** The session of DNS: a question and what was answered. */
import { datatype } from '../../subscription/decorators.ts';
import { writtenBy } from '../../subscription/json-writers.ts';
import { u16 } from '../bytes.ts';
import { ProtocolNumber, type Session } from '../contract.ts';
import { sessionJson, sessionWriter } from '../session-json.ts';
import { DNS } from './fields.ts';
import { Count, extendedRcode, HEADER, sectionText } from './message.ts';
import { nameAt, skipName } from './name.ts';

/**
 * One DNS query and the answer to it; one of the two may be missing. Its properties are the fields of the catalog in
 * camelCase, read from the messages when asked for. Record data is as in a zone file: addresses, names without the
 * final dot, `10 mail.example.org`, and `\# LENGTH HEX` for types that have no text (RFC 3597).
 */
@datatype({ kind: 'session', protocol: 'dns' })
export class DnsTransaction implements Session {
  readonly proto = ProtocolNumber.DNS;
  private readonly question: Uint8Array;
  private readonly response: Uint8Array | undefined;

  /**
   * @param question the message up to and including its questions, of the query or else of the response; kept
   * @param response the whole response; kept
   */
  constructor(question: Uint8Array, response: Uint8Array | undefined) {
    this.question = question;
    this.response = response;
  }

  /** Name asked for, without the final dot; `.` is the root. */
  get queryDomain(): string | undefined {
    if (u16(this.question, Count.QUESTIONS) === 0) return undefined;
    return nameAt(this.question, 0, this.question.length, HEADER);
  }
  get queryType(): number | undefined {
    if (u16(this.question, Count.QUESTIONS) === 0) return undefined;
    const at = skipName(this.question, HEADER, this.question.length);
    return at > 0 && at + 2 <= this.question.length ? u16(this.question, at) : undefined;
  }
  get id(): number {
    return u16(this.question, 0);
  }
  /** Response code, with the upper bits of EDNS; undefined while there is no answer. */
  get rcode(): number | undefined {
    const { response } = this;
    return response && (response[3] & 15) | extendedRcode(response);
  }
  get answers(): readonly string[] {
    return this.response ? sectionText(this.response, Count.ANSWERS) : [];
  }
  get nameservers(): readonly string[] {
    return this.response ? sectionText(this.response, Count.NAMESERVERS) : [];
  }
  get additionals(): readonly string[] {
    return this.response ? sectionText(this.response, Count.ADDITIONALS) : [];
  }

  /** The fields of the catalog that have a value, by their names there. */
  toJSON(): Record<string, unknown> {
    return sessionJson(this, DNS.fields);
  }
}

writtenBy(DnsTransaction.prototype.toJSON, sessionWriter(DNS.fields));
