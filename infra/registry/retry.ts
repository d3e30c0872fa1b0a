/** When a registry is asked again, and what a user is told where that is of no use. */
import { LockageError } from '../../pipelines/errors.ts';

const maxPause = 30_000;

/** Returns whether a status says that a server is busy or broken: 501 says that it never does that. */
export function isBusy(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 501);
}

/**
 * Returns the pause in milliseconds: what the registry asks for (seconds or a date), else longer each time; never
 * long.
 */
export function pause(attempt: number, retryAfter: string | undefined): number {
  const seconds = Number(retryAfter ?? Number.NaN);
  const asked = Number.isNaN(seconds) ? Date.parse(retryAfter ?? '') - Date.now() : seconds * 1000;
  const own = 250 * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
  return Math.min(Number.isNaN(asked) ? own : Math.max(asked, 0), maxPause);
}

const aboutCertificate = /CERT|SIGNED|SIGNATURE/;

/** Returns whether what failed may work a moment later. */
export function isPassing(error: unknown): boolean {
  if (error instanceof LockageError) return false;
  const reason = reasonOf(error);
  return !/ECONNREFUSED|ENOTFOUND|SSL|EPROTO/.test(reason) && !aboutCertificate.test(reason);
}

/** Makes the error for a registry, or its token service, that cannot be reached. */
export function unreachable(server: string, error: unknown): LockageError {
  if (error instanceof LockageError) return error;
  const reason = reasonOf(error);
  const registry = server.split(' ').at(-1) ?? '';
  const hint = /CERTIFICATE_REQUIRED|alert bad certificate/i.test(reason)
    ? `It wants a certificate of yours: /etc/docker/certs.d/${registry}/client.cert, with client.key beside it.`
    : /SSL|EPROTO|PACKET_LENGTH/.test(reason)
      ? 'If it speaks plain http on purpose, list it in `insecureRegistries` of lockage.yaml.'
      : aboutCertificate.test(reason)
        ? trustHint(registry)
        : 'Check that it runs and is reached from this machine; HTTPS_PROXY and NO_PROXY are heeded.';
  return new LockageError(`cannot reach ${server}: ${reason}`, { hint, cause: error });
}

/** Engines read their own files: those of the hosts do not help this machine, nor the other way round. */
function trustHint(registry: string): string {
  return (
    `Put the certificate of who signed it into /etc/docker/certs.d/${registry}/ca.crt, here and on each host that pulls, ` +
    'or among those that the system trusts; or name its file by NODE_EXTRA_CA_CERTS for this machine alone.'
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? `${error.message || 'no connection'} (${String(error.code)})` : error.message;
}
