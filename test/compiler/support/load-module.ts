/** Generated text to a running module, without files. */
import { transform } from 'esbuild';
import type { SubscriptionModule } from '../../../runtime/subscription/contract.ts';

const RUNTIME = new URL('../../../runtime/runtime.js', import.meta.url).href;

export async function loadModule(text: string): Promise<SubscriptionModule> {
  const { code } = await transform(text, { loader: 'ts', format: 'esm', target: 'node20', tsconfigRaw: {} });
  const linked = code.replaceAll('"iris-ts/runtime"', JSON.stringify(RUNTIME));
  return (await import(`data:text/javascript,${encodeURIComponent(linked)}`)) as SubscriptionModule;
}
