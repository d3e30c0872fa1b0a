import { LockageError } from '../../../pipelines/errors.ts';
import { oneLine } from '../../../pipelines/text/one-line.ts';
import { shortened } from '../../../pipelines/text/shortened.ts';

/**
 * An error for what a Docker Engine refused or failed to do. The message starts with the host's name. A flow that had
 * changed something before it was thrown wraps it with its own exit code.
 */
export class EngineError extends LockageError {
  readonly host: string;
  /** HTTP status of the answer; absent when there was no answer */
  readonly status: number | undefined;
  /** the engine's own words, or those of the connection */
  readonly reason: string;

  constructor(
    host: string,
    what: string,
    said: string,
    options: { status?: number | undefined; hint?: string | undefined; cause?: unknown } = {},
  ) {
    const reason = shortened(oneLine(said), longestReason);
    const hint = options.hint ?? hintFor(host, reason);
    super(`${host}: cannot ${what}: ${reason}`, {
      ...(hint === undefined ? {} : { hint }),
      ...(options.cause === undefined ? {} : { cause: options.cause }),
    });
    this.name = 'EngineError';
    this.host = host;
    this.status = options.status;
    this.reason = reason;
  }
}

/** Characters of a reason: it is recorded, and shown to people. */
const longestReason = 2000;

/** What an engine says when it cannot do something, and what helps. What is told apart most exactly comes first. */
const hints: readonly (readonly [pattern: RegExp, hint: (host: string) => string])[] = [
  [
    /address pool|pools have been fully subnetted/i,
    (host) =>
      `Run \`docker network prune\` on ${host}, or write more \`default-address-pools\` into its /etc/docker/daemon.json and restart Docker.`,
  ],
  [
    /authorization denied by plugin/i,
    (host) => `Ask who runs the authorization plugin on ${host} to allow this client what it does there.`,
  ],
  [
    /NanoCPUs can not be set|CFS scheduler|cpu cfs/i,
    (host) => `The kernel of ${host} has no CPU quotas: write \`limits: { cpus: none }\` for this environment.`,
  ],
  [
    /range of CPUs is from/i,
    (host) => `${host} has fewer processors: write a smaller \`limits.cpus\`, or \`none\`, for this environment.`,
  ],
  [
    /cannot expose privileged port|ip_unprivileged_port_start/i,
    (host) =>
      `The engine of ${host} is rootless: set net.ipv4.ip_unprivileged_port_start with sysctl there, or publish a port from 1024 on.`,
  ],
  [
    /iptables failed|no chain\/target\/match by that name|nftables.*(no such file|does not exist)/i,
    (host) =>
      `A firewall that was loaded again has dropped Docker's rules on ${host}: \`systemctl restart docker\` makes them again.`,
  ],
  [/no space left on device/i, (host) => `Free disk space on ${host}; nothing was removed to make room.`],
  [
    /server gave HTTP response to HTTPS client/i,
    (host) => `The registry speaks plain http: list it in "insecure-registries" of the Docker Engine on ${host}.`,
  ],
  [
    /unauthorized|authentication required|no basic auth credentials|pull access denied/i,
    () => 'Log in to the registry with `docker login` on this machine; its credentials are sent with each pull.',
  ],
  [
    /manifest unknown|manifest for .* not found/i,
    () => 'The registry no longer has this digest, or never had it for this repository.',
  ],
  [/x509|certificate/i, (host) => `Check the registry's certificate, and that ${host} trusts who signed it.`],
  [
    /dial tcp|connection refused|no such host|i\/o timeout/i,
    (host) =>
      `Check that ${host} itself reaches the registry by that address; where it cannot, and is reached by ssh, ` +
      'images come that way with `registry: { through: ssh }`.',
  ],
];

/** Returns what helps where an engine, or who asked it, gave this reason; undefined where nothing is known. */
export function hintFor(host: string, reason: string): string | undefined {
  return hints.find(([pattern]) => pattern.test(reason))?.[1](host);
}
