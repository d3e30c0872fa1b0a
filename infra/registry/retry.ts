/** When a registry is asked again, and what a user is told where that is of no use. */
import { LockageError } from '../../pipelines/errors.ts';

const maxPause = 30_000;

/** Returns whether a status says that a server is busy or broken. */
export function isBusy(status: number): boolean {
  return status === 429 || status >= 500;
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

/** Makes the error for a registry that cannot be reached. */
export function unreachable(server: string, error: unknown): LockageError {
  if (error instanceof LockageError) return error;
  const reason = reasonOf(error);
  const hint = /SSL|EPROTO|PACKET_LENGTH/.test(reason)
    ? 'If it speaks plain http on purpose, list it as insecure.'
    : aboutCertificate.test(reason)
      ? 'Check its certificate; name a private authority with NODE_EXTRA_CA_CERTS.'
      : (proxyHint(process.env) ?? 'Check that it runs and is reached from this machine.');
  return new LockageError(`cannot reach ${server}: ${reason}`, { hint, cause: error });
}

/** Returns what to do where everything else goes through a web proxy; undefined where no variable names one. */
function proxyHint(variables: NodeJS.ProcessEnv): string | undefined {
  const name = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].find((each) => variables[each]);
  if (name === undefined) return undefined;
  return `${name} is set, and Lockage asks registries without it: run it where the registry is reached directly.`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? `${error.message || 'no connection'} (${String(error.code)})` : error.message;
}
