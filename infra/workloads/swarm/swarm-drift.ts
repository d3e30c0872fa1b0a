import type { Drift } from '../../../pipelines/inspection/drift.ts';
import { restsAsStandby } from '../../../pipelines/model/container-spec.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import type { Engine } from '../../docker/api/client.ts';
import { labels } from '../../docker/labels.ts';
import type { DriftLook } from '../runtime.ts';
import { serviceState } from './service-state.ts';

/** Returns what a swarm has of an environment that is not as it is recorded: services, and what somebody changed on them. */
export async function swarmDrift(engine: Engine, swarm: Swarm, look: DriftLook): Promise<Drift[]> {
  const options = { signal: look.signal };
  const own = { [labels.app]: look.app, [labels.environment]: look.environment, [labels.part]: 'release' };
  const [services, tasks] = await Promise.all([engine.listServices(own, options), engine.listTasks(options)]);
  const wanted = look.record.containers.filter(({ host }) => host.name === swarm.name).map(({ spec }) => spec);
  const byName = new Map(services.map((service) => [service.Spec.Name, service]));
  const serving = new Set((currentRevision(look.record.ledger)?.containers ?? []).map(({ name }) => name));
  const known = wanted.flatMap((spec): Drift[] => {
    const service = byName.get(spec.name);
    if (!service) return [{ what: spec.name, member: 'service', expected: 'there', actual: 'missing' }];
    const { word, since } = serviceState(service, tasks);
    // One that works has no route either: it rests only while it is kept to go back to.
    const expected = restsAsStandby(spec) && !serving.has(spec.name) ? 'resting' : 'running';
    if (word === expected) return [];
    return [{ what: spec.name, member: 'state', expected, actual: word, ...(since ? { since } : {}) }];
  });
  const names = new Set(wanted.map(({ name }) => name));
  const unknown = services.filter(({ Spec }) => !names.has(Spec.Name));
  return [
    ...known,
    ...unknown.map(({ Spec }) => ({
      ...{ what: Spec.Name, member: 'service', expected: 'none of that name' },
      actual: `release ${Spec.Labels[labels.release] ?? ''}`.trim(),
    })),
  ];
}
