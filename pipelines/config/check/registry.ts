import type { Checked } from './context.ts';
import { targetsOf } from '../resolve/targets.ts';

/** Images come over ssh only to hosts that are reached by it. */
export function checkRegistry({ resolved, own, report }: Checked): void {
  if (resolved.registry.through !== 'ssh') return;
  const path = ['registry', 'through'];
  const instead = "write `registry: { through: network }` in that environment's file";
  if (resolved.swarm) {
    report(path, `images cannot come through ssh to a swarm, whose nodes pull for themselves: ${instead}`);
    return;
  }
  const { list } = targetsOf(own);
  const others = resolved.hosts.filter((_, index) => {
    const target = list[index];
    const url = typeof target === 'string' ? target : target?.url;
    return url !== undefined && !url.startsWith('ssh:');
  });
  if (others.length === 0) return;
  const names = others.map(({ name, url }) => `${name} (${url.split(':')[0]}://)`).join(', ');
  report(path, `images come through ssh, but not all targets are ssh://: ${names}. ${instead}`);
}
