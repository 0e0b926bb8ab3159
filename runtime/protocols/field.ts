/**
 * The shape of catalog entries: protocols, their fields and the data types they deliver, as plain data. Each protocol
 * folder exports one {@link ProtocolDef}; compiler/catalog collects them into the one table that the checker, the code
 * generator, the documentation and `explain` read.
 */

/** The type of a field's value. `text` is matched as a string, `bytes` as raw bytes. */
export type FieldType =
  | 'bool'
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u64'
  | 'ipv4'
  | 'ipv6'
  | 'mac'
  | 'text'
  | 'bytes'
  /** Lists: a comparison holds if it holds for any element; `contains` asks for an element that is equal. */
  | 'u16[]'
  | 'text[]';

/**
 * How long a field's value stays true.
 * - `connection`: the same for every packet of a connection (addresses, ports);
 * - `packet`: of the packet at hand (flags, ttl);
 * - `session`: of one parsed session.
 */
export type FieldScope = 'connection' | 'packet' | 'session';

/** Where the value is. Header offsets are bytes from the start of the protocol's own header. */
export type FieldAccess =
  | {
      readonly kind: 'header';
      readonly offset: number;
      /** Bytes to read, big-endian. */
      readonly size: 1 | 2 | 4 | 6 | 8 | 16;
      /** Applied after the shift. A `bool` is true when all bits of the mask are set. */
      readonly mask?: number;
      readonly shift?: number;
      /**
       * `ethertype`: the offset counts from the innermost EtherType field (`Pkt.ETHERTYPE`) instead, which lies further in
       * behind VLAN tags.
       */
      readonly from?: 'ethertype';
      /** `vlan`: only frames with a VLAN tag have the field; a test of it is false for others. */
      readonly needs?: 'vlan';
    }
  /** A property of the session object; the value may be undefined (never true then). */
  | { readonly kind: 'session'; readonly property: string }
  /** Either of two other fields of the same protocol (`addr`, `port`). The checker expands it; the planner never sees one. */
  | { readonly kind: 'either'; readonly fields: readonly [string, string] };

export interface FieldDef {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly type: FieldType;
  readonly scope: FieldScope;
  readonly access: FieldAccess;
  /** One sentence, with its unit. */
  readonly doc: string;
  /** RFC and section, or other source. */
  readonly source: string;
  /** Names for numbers (`TLSv1.3` for 0x0304): accepted in filters and printed in JSON. */
  readonly names?: Readonly<Record<string, number>>;
  /** Largest value, where it is less than the type allows. */
  readonly max?: number;
}

/** A delivered data type that is built from one session of a protocol. */
export interface SessionTypeDef {
  /** Class name exported by `iris-ts/runtime`. */
  readonly name: string;
  readonly doc: string;
}

export interface ProtocolDef {
  readonly name: string;
  readonly doc: string;
  readonly source: string;
  /** Protocols it may lie on: any one of them. Empty for the outermost. */
  readonly over: readonly string[];
  readonly layer: 'link' | 'network' | 'transport' | 'application';
  /** Application protocols: their ProtocolNumber. Network and transport: the number that names it (EtherType, IP protocol). */
  readonly number: number;
  readonly fields: readonly FieldDef[];
  readonly sessionType?: SessionTypeDef;
  /**
   * Application protocols: `one` when a connection holds at most one session (a TLS handshake), so that nothing is parsed
   * after it; absent means any number (HTTP, DNS).
   */
  readonly sessions?: 'one';
}
