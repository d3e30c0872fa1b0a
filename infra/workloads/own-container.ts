import type { Engine } from '../docker/api/client.ts';
import { isOwnedBy } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';

/** Removes a container of an environment, if it is there. What somebody else gave that name stays. */
export async function removeOwn(engine: Engine, place: Place, name: string): Promise<void> {
  const found = await engine.inspectContainer(name);
  if (found && isOwnedBy(found.Config.Labels, place)) await engine.removeContainer(found.Id, { force: true });
}
