import { isSshHost } from '../../model/target.ts';
import type { Checked } from './context.ts';

/** Checks that images can come to the hosts: from the embedded registry, and over ssh where that is wanted. */
export function checkRegistry(checked: Checked): void {
  if (checked.file.repository === undefined) checkEmbedded(checked);
  if (checked.resolved.registry.through === 'ssh') checkOverSsh(checked);
}

/**
 * Checks that no host has to find this computer by itself: the embedded registry is reached over ssh, or by the very engine
 * that it runs on, which shows when that is asked.
 */
function checkEmbedded({ resolved, report }: Checked): void {
  const instead = 'write `repository: registry.example.com/shop` in lockage.yaml';
  if (resolved.orchestrator) {
    report(['targets'], `a swarm's nodes pull for themselves, and no repository is configured: ${instead}`);
    return;
  }
  const others = resolved.hosts.flatMap((host) =>
    host.kind === 'host' && host.endpoint.kind === 'tcp' && host.endpoint.tls ? [`${host.name} (tcp://)`] : [],
  );
  if (others.length === 0) return;
  report(['targets'], `${others.join(', ')} cannot reach the embedded registry, which takes ssh: ${instead}`);
}

function checkOverSsh({ resolved, report }: Checked): void {
  const path = ['registry', 'through'];
  const instead = "write `registry: { through: network }` in that environment's file";
  if (resolved.orchestrator) {
    report(path, `images cannot come through ssh to a swarm, whose nodes pull for themselves: ${instead}`);
    return;
  }
  const others = resolved.hosts.flatMap((host) =>
    host.kind === 'host' && !isSshHost(host) ? [`${host.name} (${host.endpoint.kind}://)`] : [],
  );
  if (others.length === 0) return;
  const names = others.join(', ');
  report(path, `images come through ssh, but not all targets are ssh://: ${names}. ${instead}`);
}
