/** Notices devices that go away while a run lasts: an interface deleted, a card pulled out. DPDK's drivers just fall silent. */
import { type Device, optionValues } from '../config/device.ts';
import { hasInterface, hasPciDevice } from './machine.ts';

export interface Presence {
  /** A sentence for each device that has gone since the last look. */
  look(): string[];
  /** No device is left that packets could come from. */
  readonly allGone: boolean;
}

/** What a device that was there is missing now; undefined: nothing. */
function missing(device: Device): string | undefined {
  if (device.kind === 'pci') return hasPciDevice(device.address) ? undefined : 'it';
  const interfaces = ['iface', 'rx_iface'].flatMap((key) => optionValues(device, key));
  const gone = interfaces.find((name) => !hasInterface(name));
  return gone === undefined ? undefined : `its interface ${gone}`;
}

export function watchPresence(
  ports: readonly { readonly name: string; readonly device: Device }[],
  missingOf: (device: Device) => string | undefined = missing,
): Presence {
  const gone = new Set<string>();
  return {
    get allGone() {
      return ports.length > 0 && gone.size === ports.length;
    },
    look() {
      return ports.flatMap(({ name, device }) => {
        const what = gone.has(name) ? undefined : missingOf(device);
        if (what === undefined) return [];
        gone.add(name);
        return [`${name}: ${what} is gone: no packet comes from there any more`];
      });
    },
  };
}
