/**
 * Tables on huge pages. A table of many connections is read in random order: on pages of 4 KiB the processor then looks
 * for pages as often as for records. Needs the addon `iris_memory` and a system that gives huge pages to those who ask
 * (Linux: /sys/kernel/mm/transparent_hugepage/enabled, `madvise` or `always`); without, all works on small pages.
 */
import { memoryAddon } from './addons.ts';

/** A table that needs no more than this has as few pages as matter, and a small capture should not clear a huge one. */
const SMALL_BYTES = 2 * 1024 * 1024;
/**
 * Most bytes on huge pages. The system clears each when it is first touched, which a connection of few packets does not
 * earn back: with 140 MB, scans took up to a fifth longer.
 */
const HUGE_BYTES = 32 * 1024 * 1024;

/**
 * Asks for huge pages for what lies beyond the first 2 MiB of a table that fills from its start, 32 MiB of it. To be called
 * before the table is used. False where there are none.
 */
export function useHugePages(table: ArrayBuffer): boolean {
  if (table.byteLength <= 2 * SMALL_BYTES) return false;
  const end = Math.min(table.byteLength, SMALL_BYTES + HUGE_BYTES);
  return memoryAddon()?.adviseHuge?.(table, SMALL_BYTES, end) ?? false;
}
