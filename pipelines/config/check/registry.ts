import { isSshHost } from '../../model/target.ts';
import type { Checked } from './context.ts';

/** Checks that images are sent over ssh only to hosts that are reached by ssh. */
export function checkRegistry({ resolved, report }: Checked): void {
  if (resolved.registry.through !== 'ssh') return;
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
