import { LockageError } from '../../pipelines/errors.ts';
import type { Engine } from '../docker/api/client.ts';
import { isOwnedBy } from '../docker/labels.ts';
import type { AccessoryInputs } from '../resources/inputs.ts';
import { accessoryName } from '../workloads/foundation/accessory-container.ts';

/**
 * Refuses to make an accessory on a host while it runs on another one, or where its data is on another one and not there: it
 * would begin without data, or with what was left there once. Throws LockageError.
 */
export async function refuseWithoutData(
  engine: Engine,
  accessory: AccessoryInputs,
  others: readonly Engine[],
): Promise<void> {
  const volumes = Object.keys(accessory.volumes);
  const container = accessoryName(accessory);
  if (volumes.length === 0 || (await engine.inspectContainer(container))) return;
  const here = await Promise.all(volumes.map((volume) => engine.inspectVolume(volume)));
  const missing = volumes.filter((_, index) => here[index] === undefined);
  for (const other of others) {
    const found = await other.inspectContainer(container);
    if (found?.State.Running && isOwnedBy(found.Config.Labels, accessory))
      throw notMoved(accessory, other.host, 'runs there with its data');
    const there = await Promise.all(missing.map((volume) => other.inspectVolume(volume)));
    const left = there.find((volume) => isOwnedBy(volume?.Labels, accessory));
    if (left) throw notMoved(accessory, other.host, `has its data there, in volume ${left.Name}`);
  }
}

function notMoved({ host, name, environment, volumes }: AccessoryInputs, from: string, why: string): LockageError {
  return new LockageError(`accessory ${name} cannot go from ${from} to ${host.name}: it ${why}`, {
    details: ['data does not move with an accessory'],
    hint:
      `Back it up with \`lockage accessory backup ${environment} ${name} FILE\` while ${from} is its \`host\`, and stop its ` +
      `container there. Then make ${Object.keys(volumes).join(', ')} on ${host.name} with \`docker volume create\`, promote, ` +
      'and restore the file.',
  });
}
