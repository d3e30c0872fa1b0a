import { LockageError } from '../../pipelines/errors.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import type { Engine } from '../docker/api/client.ts';
import type { ContainerSummary } from '../docker/api/types.ts';
import { isOwnedBy, labels } from '../docker/labels.ts';
import { parseReference } from '../registry/reference.ts';
import type { Place } from '../resources/inputs.ts';
import { runsFor } from '../workloads/runs-for.ts';

/** The parts that a host has of an environment, whatever the state knows of it. */
export interface Standing {
  readonly host: EnvironmentHost;
  readonly containers: readonly ContainerSummary[];
  /** id of its network there */
  readonly network?: string;
}

/** Looks what a host has of an environment. Throws LockageError when its network is somebody else's. */
export async function standingOn(engine: Engine, host: EnvironmentHost, place: Place): Promise<Standing> {
  const own = { [labels.app]: place.app, [labels.environment]: place.environment };
  const { network: name } = environmentNames(place.app, place.environment);
  const [containers, network] = await Promise.all([
    engine.listContainers({ all: true, labels: own }),
    engine.inspectNetwork(name),
  ]);
  if (network?.Scope !== 'local') return { host, containers };
  if (!isOwnedBy(network.Labels, place)) {
    throw new LockageError(`${host.name}: a network named ${name} exists and is not of ${place.app}`, {
      hint: `Remove it on ${host.name}, then run the same command again.`,
    });
  }
  return { host, containers, network: network.Id };
}

/** Returns what the images of the configuration stand for in what runs: image → reference by digest. */
export function runningImages(standing: readonly Standing[]): Record<string, string> {
  const made = standing
    .flatMap(({ containers }) => containers)
    .filter(({ State, Labels }) => State === 'running' && Labels[labels.image] && Labels[labels.digest]);
  return Object.fromEntries(
    made.map(({ Labels: { [labels.image]: image = '', [labels.digest]: digest = '' } }) => [
      image,
      `${parseReference(image).repository}@${digest}`,
    ]),
  );
}

/** Milliseconds that a container which was restarted has to run before it counts as running: engines take as long. */
const steadyFor = 10_000;

/** Returns which containers of a host are restarted time after time: a list of containers shows them as running at times. */
export async function restartingContainers(engine: Engine, names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(names.map((name) => isRestarting(engine, name)));
  return names.filter((_, index) => found[index]);
}

async function isRestarting(engine: Engine, name: string): Promise<boolean> {
  const found = await engine.inspectContainer(name);
  if (!found) return false;
  if (found.State.Restarting) return true;
  return found.RestartCount > 0 && (await runsFor(engine, found.State)) < steadyFor;
}
