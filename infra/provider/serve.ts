import type { ServerOptions } from '@grpc/grpc-js';
import { main, type Provider } from '@pulumi/pulumi/provider/index.js';
import * as settings from '@pulumi/pulumi/runtime/settings.js';
import { onlyFrom, type Callers } from './guard.ts';

declare module '@pulumi/pulumi/runtime/settings.js' {
  // The SDK has it, and its types leave it out.
  export const grpcChannelOptions: ServerOptions;
}

/** Serves the provider to these processes alone, and prints its port as plugins do. */
export async function serveProvider(provider: Provider, args: string[], callers: Callers): Promise<void> {
  // The SDK makes its server from these options before it waits for anything, so nothing else is made with the guard in them.
  settings.grpcChannelOptions.interceptors = [onlyFrom(callers)];
  const serving = main(provider, args);
  delete settings.grpcChannelOptions.interceptors;
  await serving;
}
