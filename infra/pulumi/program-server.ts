import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import * as automation from '@pulumi/pulumi/automation/server.js';
import { LanguageRuntimeService } from '@pulumi/pulumi/proto/language_grpc_pb.js';
import { runtimeFolder } from '../system/runtime-folder.ts';

declare module '@pulumi/pulumi/automation/server.js' {
  // The SDK has it, and its types leave it out.
  export class LanguageServer {
    constructor(program: () => Promise<void>);
    onPulumiExit(hasError: boolean): void;
  }
}

/** A program that waits for Pulumi to run it. */
export interface ServedProgram {
  /** where Pulumi's `--client` finds it */
  readonly address: string;
  /** Takes it away, once Pulumi has ended. Throws where the program left something waiting although all went well. */
  close(hasError: boolean): Promise<void>;
}

/**
 * Serves a program to the Pulumi of this user alone: what it declares has values of secrets in it, and whoever asks for it
 * to be run says where it is declared. So it listens on a socket in a folder that no other user can enter, and not on a port as
 * Pulumi's Automation API does. It runs once.
 */
export async function serveProgram(program: () => Promise<void>): Promise<ServedProgram> {
  const path = join(await runtimeFolder(), `program-${randomBytes(8).toString('hex')}`);
  const language = new automation.LanguageServer(once(program));
  const server = new Server();
  // Its methods are those that the SDK's own server has.
  server.addService(LanguageRuntimeService, language as unknown as UntypedServiceImplementation);
  await listen(server, `unix:${path}`);
  const close = async (hasError: boolean) => {
    server.forceShutdown();
    await rm(path, { force: true });
    language.onPulumiExit(hasError);
  };
  return { address: `unix:${path}`, close };
}

function once(program: () => Promise<void>): () => Promise<void> {
  let runs = false;
  return async () => {
    if (runs) throw new Error('the program has been run already');
    runs = true;
    await program();
  };
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
  });
}
