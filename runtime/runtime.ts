/**
 * The public entry `iris-ts/runtime`: what generated modules and users' TypeScript files import. The compiler reads the
 * built-in data types by following these exports, so a new one is listed here and nowhere else.
 */

// Data types.
export { L4Pdu } from './conntrack/l4-pdu.ts';
// What generated modules link against.
export type { EndReason } from './conntrack/layout.ts';
export { ByteCount } from './datatypes/byte-count.ts';
export { CommunityId } from './datatypes/community-id.ts';
export { ConnDuration } from './datatypes/conn-duration.ts';
export { ConnHistory } from './datatypes/conn-history.ts';
export { ConnRecord } from './datatypes/conn-record.ts';
export type { CoreId, FilterStr, SessionProto, StateTransition, StateTxData } from './datatypes/context.ts';
export { EthAddr, EtherTCI } from './datatypes/ethernet.ts';
export { FiveTuple } from './datatypes/five-tuple.ts';
export { HandshakeRtt } from './datatypes/handshake-rtt.ts';
export { InterArrivals } from './datatypes/inter-arrivals.ts';
export { Lifespan } from './datatypes/lifespan.ts';
export { AnonFiveTuple, ClearedFiveTuple } from './datatypes/masked-five-tuples.ts';
export { BidirPktStream, OrigPktStream, RespPktStream } from './datatypes/packet-streams.ts';
export { PktCount } from './datatypes/pkt-count.ts';
export { StartTime } from './datatypes/start-time.ts';
export type { Session } from './protocols/contract.ts';
export { DnsTransaction } from './protocols/dns/transaction.ts';
export { DtlsHandshake } from './protocols/dtls/handshake.ts';
export { GquicStream } from './protocols/gquic/stream.ts';
export { HttpTransaction } from './protocols/http/transaction.ts';
export { MqttConnect } from './protocols/mqtt/connect.ts';
export { QuicStream } from './protocols/quic/stream.ts';
export { SshHandshake } from './protocols/ssh/handshake.ts';
export { TlsHandshake } from './protocols/tls/handshake.ts';
// Metrics of user code.
export {
  type CounterMetric,
  counter,
  type GaugeMetric,
  gauge,
  type MetricOptions,
} from './stats/metrics.ts';
export { type App, type Create, defineApp, type HandlersOf } from './subscription/app.ts';
export {
  addressSteps,
  type Classifier,
  createClassifier,
  type FamilyRule,
  rangeMap,
} from './subscription/classifier.ts';
export type { Column } from './subscription/column.ts';
export { type ColumnView, columnView, keep } from './subscription/column-view.ts';
export type {
  Actions,
  Core,
  FlowRule,
  Plan,
  Subscription,
  SubscriptionModule,
  Trackable,
} from './subscription/contract.ts';
// What users write with.
export {
  Accept,
  type bool,
  Continue,
  callback,
  Drop,
  datatype,
  type f64,
  filter,
  type i32,
  type Level,
  on,
  rare,
  type u8,
  type u16,
  type u32,
  type Verdict,
} from './subscription/decorators.ts';
export { createInstruments } from './subscription/instruments.ts';
export {
  anyElement,
  type BytesTest,
  bytesContains,
  bytesIn,
  bytesMatcher,
  type TextTest,
  textContains,
  textEnds,
  textIn,
  textMatcher,
  textStarts,
} from './subscription/matchers.ts';
export { noinline } from './subscription/noinline.ts';
export { verdict } from './subscription/verdict.ts';
