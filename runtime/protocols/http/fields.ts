/** The catalog's entry of HTTP: one request and the response to it. */
import { ProtocolNumber } from '../contract.ts';
import type { FieldDef, ProtocolDef } from '../field.ts';
import { sessionField } from '../session-field.ts';

const MESSAGE = 'RFC 9112';

const HTTP_FIELDS: readonly FieldDef[] = [
  sessionField('method', 'text', 'Method of the request, as sent: `GET`, `POST`.', `${MESSAGE} section 3.1`),
  sessionField('uri', 'text', 'Request target, as sent.', `${MESSAGE} section 3.2`),
  sessionField('host', 'text', 'Host header of the request.', 'RFC 9110 section 7.2'),
  sessionField('user_agent', 'text', 'User-Agent header of the request.', 'RFC 9110 section 10.1.5'),
  sessionField('cookie', 'text', 'Cookie header of the request.', 'RFC 6265 section 5.4'),
  sessionField(
    'request_version',
    'text',
    'Version of the request: `HTTP/1.1`, `HTTP/2.0`; empty for HTTP/0.9, which has none.',
    `${MESSAGE} section 2.3`,
  ),
  sessionField('request_content_length', 'u64', 'Content-Length of the request, in bytes.', 'RFC 9110 section 8.6'),
  sessionField('request_content_type', 'text', 'Content-Type of the request.', 'RFC 9110 section 8.3'),
  sessionField('request_transfer_encoding', 'text', 'Transfer-Encoding of the request.', `${MESSAGE} section 6.1`),
  sessionField('status_code', 'u16', 'Status code of the response.', `${MESSAGE} section 4`, { max: 999 }),
  sessionField('status_msg', 'text', 'Reason phrase of the response, where it has one.', `${MESSAGE} section 4`),
  sessionField(
    'response_version',
    'text',
    'Version of the response: `HTTP/1.1`, `HTTP/2.0`.',
    `${MESSAGE} section 2.3`,
  ),
  sessionField('response_content_length', 'u64', 'Content-Length of the response, in bytes.', 'RFC 9110 section 8.6'),
  sessionField('response_content_type', 'text', 'Content-Type of the response.', 'RFC 9110 section 8.3'),
  sessionField('response_transfer_encoding', 'text', 'Transfer-Encoding of the response.', `${MESSAGE} section 6.1`),
];

export const HTTP: ProtocolDef = {
  name: 'http',
  doc: 'HTTP/1.0, HTTP/1.1 and HTTP/2 in clear, one request with its response at a time.',
  source: 'RFC 9110, RFC 9112, RFC 9113',
  over: ['tcp'],
  layer: 'application',
  number: ProtocolNumber.HTTP,
  fields: HTTP_FIELDS,
  sessionType: { name: 'HttpTransaction', doc: 'One HTTP request and the response to it.' },
};
