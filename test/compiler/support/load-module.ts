/** Generated text to a running module, without files. */
import { transform } from 'esbuild';
import type { SubscriptionModule } from '../../../runtime/subscription/contract.ts';

const RUNTIME = new URL('../../../runtime/runtime.js', import.meta.url).href;

/** `user` is the JavaScript that stands for `./user.ts`. */
export async function loadModule(text: string, user = ''): Promise<SubscriptionModule> {
  const { code } = await transform(text, { loader: 'ts', format: 'esm', target: 'node20', tsconfigRaw: {} });
  const linked = code
    .replaceAll('"iris-ts/runtime"', JSON.stringify(RUNTIME))
    .replaceAll('"./user.ts"', JSON.stringify(`data:text/javascript,${encodeURIComponent(user)}`));
  return (await import(`data:text/javascript,${encodeURIComponent(linked)}`)) as SubscriptionModule;
}
