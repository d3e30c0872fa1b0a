import { ServerInterceptingCall, status, type ServerInterceptor } from '@grpc/grpc-js';
import { holderOf, stillHolds, type SocketHolder } from '../system/socket-holder.ts';

type ConnectionInfo = ReturnType<ServerInterceptingCall['getConnectionInfo']>;

/** The processes whose calls count. */
export type Callers = () => Promise<readonly number[]>;

/**
 * Refuses every call that does not come from one of these processes of this user, before anything of it is read. A port of
 * 127.0.0.1 is open to everybody on this computer, and Pulumi names it in its arguments, which everybody can read.
 *
 * On Linux each call is looked at: the connection it came by is a descriptor of such a process now. Elsewhere lsof is asked
 * once a connection; a process that got the same port after its caller had closed the connection and before it had ended would
 * be taken for it, but Pulumi keeps its connections to its end.
 */
export function onlyFrom(callers: Callers): ServerInterceptor {
  const known = new Map<number, SocketHolder>();
  const isCaller = async (from: number, to: number): Promise<boolean> => {
    const before = known.get(from);
    if (before && (await stillHolds(before))) return true;
    const found = await holderOf({ from, to }, callers);
    if (found) known.set(from, found);
    else known.delete(from);
    return found !== undefined;
  };
  const allows = async ({ localPort, remoteAddress, remotePort }: ConnectionInfo): Promise<boolean> => {
    // The same port of another address, such as 127.0.0.2, is somebody else's.
    if (remoteAddress !== '127.0.0.1' || remotePort === undefined || localPort === undefined) return false;
    return isCaller(remotePort, localPort).catch(() => false);
  };
  return (_method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, goOn) => {
            void allows(call.getConnectionInfo()).then((allowed) =>
              allowed ? goOn(metadata) : call.sendStatus({ code: status.PERMISSION_DENIED, details: refusal }),
            );
          },
        }),
    });
}

const refusal = 'only the Pulumi process that belongs to this one may call it';
