import { messageOf } from '../../../pipelines/errors.ts';
import { hostPort, type EngineAddress } from '../address.ts';
import { alertOf } from '../tls/errors.ts';
import { EngineError } from './errors.ts';

/** Explains, in the user's words, why a connection to an engine broke or could not be made. */
export function connectionError(host: string, address: EngineAddress, what: string, cause: unknown): EngineError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const where = 'socketPath' in address ? address.socketPath : hostPort(address.tcp);
  if (code === 'EACCES' && 'socketPath' in address) {
    return new EngineError(host, what, `permission denied on ${where}`, {
      hint: 'Add your user to the group "docker" and log in again; leave the mode of the socket as it is.',
      cause,
    });
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new EngineError(host, what, `no Docker Engine listens at ${where}`, {
      hint: 'Start it, for example with `systemctl start docker`.',
      cause,
    });
  }
  const text = messageOf(cause);
  if ('tcp' in address && address.tcp.tls) {
    const alert = alertOf(cause);
    const reason = alert ? `it refuses the client certificate (${alert})` : `the connection broke: ${text}`;
    return new EngineError(host, what, reason, { hint: 'Check the certificates with `lockage doctor`.', cause });
  }
  return new EngineError(host, what, `the connection to the Docker Engine broke: ${text}`, { cause });
}
