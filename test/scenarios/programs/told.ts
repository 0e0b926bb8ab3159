/** Tells the test what user code hears. */
export type Told = (name: string, conn: string, value?: number | string) => void;

export function told(name: string, conn: object, value?: number | string): void {
  (globalThis as { irisTold?: Told }).irisTold?.(name, String(conn), value);
}
