import { readdir, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';

/** A port on a machine's own loopback that leads to this process. */
export interface ReverseForward {
  readonly port: number;
  /** Closes the port. Never throws: with the connection, the port is gone as well. */
  end(): Promise<void>;
}

/** Returns the arguments for a master connection: `ssh -R 127.0.0.1:0:SOCKET`, where the machine chooses the port. */
export function reverseForwardArguments(socket: string): string[] {
  return ['-R', `127.0.0.1:0:${socket}`];
}

let forwardCount = 0;

/** Returns the path of a socket for a reverse forward over that master connection, used by this process alone. */
export function reverseForwardSocket(control: string): string {
  return `${control.replace(/\.ctl$/, '')}.${process.pid}-${forwardCount++}.offer`;
}

/**
 * Returns the sockets of reverse forwards over a master connection whose processes were killed: nobody listens there.
 */
export async function deadReverseForwards(control: string): Promise<string[]> {
  const folder = dirname(control);
  const own = `${basename(control, '.ctl')}.`;
  const names = (await readdir(folder)).filter((name) => name.startsWith(own) && name.endsWith('.offer'));
  const sockets = names.map((name) => join(folder, name));
  const dead = await Promise.all(sockets.map(async (socket) => !(await listens(socket))));
  return sockets.filter((_, index) => dead[index]);
}

/** Listens at a socket, in place of what is left of an earlier one. */
export async function listenAt(server: Server, socket: string): Promise<void> {
  await rm(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
}

function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}
