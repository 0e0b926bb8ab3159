/** The session of HTTP: a request and the response to it. */
import { datatype } from '../../subscription/decorators.ts';
import { writtenBy } from '../../subscription/json-writers.ts';
import { textOf } from '../bytes.ts';
import { ProtocolNumber, type Session } from '../contract.ts';
import { sessionJson, sessionWriter } from '../session-json.ts';
import { HTTP } from './fields.ts';
import { decimal, headerAt, startLineParts, statusOf } from './head.ts';

/**
 * One HTTP request and the response to it; one of the two may be missing. Its properties are the fields of the catalog in
 * camelCase, read from the heads when asked for; a header that is not there is undefined.
 */
@datatype({ kind: 'session', protocol: 'http' })
export class HttpTransaction implements Session {
  readonly proto = ProtocolNumber.HTTP;
  private readonly request: Uint8Array | undefined;
  private readonly response: Uint8Array | undefined;
  /**
   * Bytes of the client's stream before the body of the request, counted from where HTTP begins in it: added to the `seqNo` of
   * the first piece that `InL4Stream` delivers of that stream, the `seqNo` of the body's first byte. Undefined where there is
   * no request, and in HTTP/2, whose bodies are cut into frames.
   */
  readonly requestBodyOffset: number | undefined;
  /** The same of the server's stream and the response. */
  readonly responseBodyOffset: number | undefined;

  /** @param request @param response heads, from the start line to the empty line; kept */
  constructor(
    request: Uint8Array | undefined,
    response: Uint8Array | undefined,
    requestBodyOffset?: number,
    responseBodyOffset?: number,
  ) {
    this.request = request;
    this.response = response;
    this.requestBodyOffset = requestBodyOffset;
    this.responseBodyOffset = responseBodyOffset;
  }

  get method(): string | undefined {
    return part(this.request, 0);
  }
  get uri(): string | undefined {
    return part(this.request, 1);
  }
  get requestVersion(): string | undefined {
    return part(this.request, 2);
  }
  get host(): string | undefined {
    return this.requestHeader('host');
  }
  get userAgent(): string | undefined {
    return this.requestHeader('user-agent');
  }
  get cookie(): string | undefined {
    return this.requestHeader('cookie');
  }
  get requestContentLength(): number | undefined {
    return contentLength(this.request);
  }
  get requestContentType(): string | undefined {
    return this.requestHeader('content-type');
  }
  get requestTransferEncoding(): string | undefined {
    return this.requestHeader('transfer-encoding');
  }
  get statusCode(): number | undefined {
    return this.response && statusOf(this.response, 0);
  }
  get statusMsg(): string | undefined {
    return part(this.response, 2) || undefined;
  }
  get responseVersion(): string | undefined {
    return part(this.response, 0);
  }
  get responseContentLength(): number | undefined {
    return contentLength(this.response);
  }
  get responseContentType(): string | undefined {
    return this.responseHeader('content-type');
  }
  get responseTransferEncoding(): string | undefined {
    return this.responseHeader('transfer-encoding');
  }

  /** The first header of this name (in lower case) of the request. */
  requestHeader(name: string): string | undefined {
    return header(this.request, name);
  }
  /** The first header of this name (in lower case) of the response. */
  responseHeader(name: string): string | undefined {
    return header(this.response, name);
  }

  /** The fields of the catalog that have a value, by their names there. */
  toJSON(): Record<string, unknown> {
    return sessionJson(this, HTTP.fields);
  }
}

writtenBy(HttpTransaction.prototype.toJSON, sessionWriter(HTTP.fields));

function part(head: Uint8Array | undefined, which: 0 | 1 | 2): string | undefined {
  if (head === undefined) return undefined;
  const [start, end] = startLineParts(head)[which];
  return textOf(head, start, end);
}

function header(head: Uint8Array | undefined, name: string): string | undefined {
  const place = head && headerAt(head, name);
  if (head === undefined || place === undefined) return undefined;
  const value = textOf(head, place[0], place[1]);
  return value.includes('\n') ? value.replace(/[ \t]*\r?\n[ \t]+/g, ' ') : value;
}

function contentLength(head: Uint8Array | undefined): number | undefined {
  const place = head && headerAt(head, 'content-length');
  const length = head && place ? decimal(head, place[0], place[1]) : -1;
  return length < 0 ? undefined : length;
}
