import { LockageError } from '../../pipelines/errors.ts';
import type { Engine } from '../docker/api/client.ts';
import { containerName } from '../docker/api/names.ts';
import { labels } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';

/** Refuses an environment that is new here where an engine has something of it: its data, too. Throws LockageError. */
export async function refuseLeftovers(engine: Engine, { app, environment }: Place): Promise<void> {
  const own = { [labels.app]: app, [labels.environment]: environment };
  const [containers, volumes] = await Promise.all([
    engine.listContainers({ labels: own, all: true }),
    engine.listVolumes(own),
  ]);
  const found = [
    ...containers.map((container) => `container ${containerName(container)}`),
    ...volumes.map(({ Name }) => `volume ${Name}`),
  ];
  if (found.length === 0) return;
  throw new LockageError(`this engine has something of ${environment} of ${app} that was not made from this folder`, {
    details: found.sort().slice(0, 12),
    hint: `Give this one another name with \`--as NAME\`, or remove those with \`docker\` first.`,
  });
}
