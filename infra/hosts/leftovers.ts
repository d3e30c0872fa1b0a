import { LockageError } from '../../pipelines/errors.ts';
import type { Remains } from '../../pipelines/planning/environment-time.ts';
import type { Engine } from '../docker/api/client.ts';
import { containerName } from '../docker/api/names.ts';
import { labels } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';
import { reaperOf } from './reaper.ts';

/** Refuses an environment that is new here where an engine has something of it: its data, too. Throws LockageError. */
export async function refuseLeftovers(engine: Engine, place: Place): Promise<void> {
  const { app, environment } = place;
  const found = await leftovers(engine, place);
  if (found.length === 0) return;
  throw new LockageError(`this engine has something of ${environment} of ${app} that was not made from this folder`, {
    details: found.sort().slice(0, 12),
    hint: 'Give this one another name (`reproduce` takes `--as NAME`), or remove those with `docker` first.',
  });
}

/** Asks a host what is left of an environment, and for its time. Throws EngineError. */
export async function askRemains(engine: Engine, place: Place): Promise<Remains> {
  const [found, networks, until, { SystemTime }] = await Promise.all([
    leftovers(engine, place),
    engine.listNetworks(labelsOf(place)),
    reaperOf(engine, place),
    engine.info(),
  ]);
  return {
    isEmpty: found.length === 0 && networks.length === 0,
    ...(until === undefined ? {} : { until }),
    now: Date.parse(SystemTime) / 1000,
  };
}

async function leftovers(engine: Engine, place: Place): Promise<string[]> {
  const own = labelsOf(place);
  const [containers, volumes] = await Promise.all([
    engine.listContainers({ labels: own, all: true }),
    engine.listVolumes(own),
  ]);
  return [
    ...containers.map((container) => `container ${containerName(container)}`),
    ...volumes.map(({ Name }) => `volume ${Name}`),
  ];
}

function labelsOf({ app, environment }: Place): Record<string, string> {
  return { [labels.app]: app, [labels.environment]: environment };
}
