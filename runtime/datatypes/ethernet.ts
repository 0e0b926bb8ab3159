/** What the Ethernet header of a connection's first packet says. */
import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import { LinkType } from '../packet/layout.ts';
import { datatype } from '../subscription/decorators.ts';

/** Bytes of two addresses; the type follows, or the first VLAN tag. */
const ADDRESSES = 12;
/** Types that announce a VLAN tag: 802.1Q, 802.1ad, and what came before 802.1ad. */
const TAGS: readonly number[] = [0x8100, 0x88a8, 0x9100];

/** The Ethernet frame of a packet; undefined where the link is another, or less was captured than the addresses. */
function ethernetFrame(pdu: L4Pdu): Uint8Array | undefined {
  if (pdu.linkType !== LinkType.ETHERNET) return undefined;
  const { frame } = pdu;
  return frame.length < ADDRESSES ? undefined : frame;
}

function addressAt(frame: Uint8Array | undefined, at: number): string | undefined {
  if (frame === undefined) return undefined;
  return Array.from(frame.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/**
 * The Ethernet addresses of a connection's first packet, as `00:1b:21:aa:bb:cc`: `src` sent it, `dst` was to get it.
 * Undefined on links that are not Ethernet.
 */
@datatype
export class EthAddr {
  readonly src: string | undefined;
  readonly dst: string | undefined;

  constructor(first: L4Pdu) {
    const frame = ethernetFrame(first);
    this.dst = addressAt(frame, 0);
    this.src = addressAt(frame, 6);
  }

  toJSON(): { readonly src: string | null; readonly dst: string | null } {
    return { src: this.src ?? null, dst: this.dst ?? null };
  }
}

/** {@link EtherTCI} as JSON; null where there was no tag. */
export interface EtherTciJson {
  readonly tci: number;
  readonly priority: number;
  readonly drop_eligible: boolean;
  readonly vlan_id: number;
}

/** Tag control information (IEEE 802.1Q) of the innermost VLAN tag of a connection's first packet. */
@datatype
export class EtherTCI {
  /** The 16 bits as they are; undefined without a tag, and on links that are not Ethernet. */
  readonly tci: number | undefined;

  constructor(first: L4Pdu) {
    const frame = ethernetFrame(first);
    if (frame === undefined) return;
    const u16 = (at: number): number => (frame[at] << 8) | frame[at + 1];
    for (let at = ADDRESSES; at + 4 <= frame.length && TAGS.includes(u16(at)); at += 4) this.tci = u16(at + 2);
  }

  /** Number of the VLAN, 0..4095. */
  get vlanId(): number | undefined {
    return this.tci === undefined ? undefined : this.tci & 0xfff;
  }
  /** Priority code point, 0..7. */
  get priority(): number | undefined {
    return this.tci === undefined ? undefined : this.tci >>> 13;
  }
  /** Drop eligible indicator. */
  get dropEligible(): boolean | undefined {
    return this.tci === undefined ? undefined : (this.tci & 0x1000) !== 0;
  }
  toJSON(): EtherTciJson | null {
    const { tci } = this;
    if (tci === undefined) return null;
    return { tci, priority: tci >>> 13, drop_eligible: (tci & 0x1000) !== 0, vlan_id: tci & 0xfff };
  }
}
