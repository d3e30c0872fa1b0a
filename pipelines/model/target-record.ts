import { LockageError } from '../errors.ts';
import { endpointOf, settingsOf, type EndpointSettings } from './endpoint.ts';
import { isSshHost, pending, type Host, type SshHost, type Target } from './target.ts';

/**
 * A target as Pulumi's state keeps it and `--json` prints it. State that was written once must stay readable for good,
 * so this changes only by members that may be absent.
 */
export interface TargetRecord extends EndpointSettings {
  readonly name: string;
  /** `swarm:` for a swarm, `machine://NAME` for a machine that is not made yet */
  readonly url: string;
  readonly address: string;
  readonly managers?: readonly TargetRecord[];
}

const swarmUrl = 'swarm:';
const pendingScheme = 'machine://';

/** Returns a target as it is recorded. */
export function toRecord(target: Target): TargetRecord {
  const { name } = target;
  switch (target.kind) {
    case 'host':
      return { name, address: target.address, ...settingsOf(target.endpoint) };
    case 'swarm':
      return { name, url: swarmUrl, address: '', managers: target.managers.map(toRecord) };
    case 'pending':
      return { name, url: `${pendingScheme}${name}`, address: target.address };
  }
}

/** Returns the target that was recorded. Throws LockageError when its URL cannot be used. */
export function fromRecord(record: TargetRecord): Target {
  const { name, url, managers } = record;
  if (managers) return { kind: 'swarm', name, managers: managers.map(hostFromRecord) };
  return url.startsWith(pendingScheme) ? pending(name) : hostFromRecord(record);
}

/** Returns the host with these settings that is reached by ssh. Throws LockageError when it is not. */
export function sshHostOf(record: TargetRecord): SshHost {
  const host = hostFromRecord(record);
  if (isSshHost(host)) return host;
  throw new LockageError(`${host.name}: ${record.url} is not reached by ssh`);
}

function hostFromRecord(record: TargetRecord): Host {
  const { name, address } = record;
  return { kind: 'host', name, address, endpoint: endpointOf(name, record) };
}
