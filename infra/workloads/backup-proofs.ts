import type { Engine } from '../docker/api/client.ts';
import type { ContainerSummary } from '../docker/api/types.ts';
import { labels, ownerLabels, passingParts } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';
import { isAlive } from '../system/is-alive.ts';
import { thisProcess, type ProcessIdentity } from '../system/this-process.ts';

/** Milliseconds after which a proof is left, wherever it was begun: no restore may take longer. */
const longest = 24 * 3600_000;

/** Returns the labels of a container in which a backup is restored for proof: several commands may do so at once. */
export async function proofLabels({ app, environment }: Place): Promise<Record<string, string>> {
  const { pid, pidSpace } = await thisProcess();
  return { ...ownerLabels(app, environment, passingParts.proof), [labels.process]: `${pid} ${pidSpace}` };
}

/** Removes what proofs of backups left whose command was killed here, or must have been elsewhere. */
export async function removeLeftProofs(engine: Engine, { app, environment }: Place): Promise<void> {
  const own = ownerLabels(app, environment, passingParts.proof);
  const found = await engine.listContainers({ all: true, labels: own });
  if (found.length === 0) return;
  const [here, { SystemTime }] = await Promise.all([thisProcess(), engine.info()]);
  const left = found.filter((container) => isLeft(container, here, Date.parse(SystemTime)));
  await Promise.all(left.map(({ Id }) => engine.removeContainer(Id, { force: true }).catch(() => undefined)));
}

function isLeft({ Labels, Created }: ContainerSummary, { pidSpace }: ProcessIdentity, now: number): boolean {
  const [pid = '', ...space] = (Labels[labels.process] ?? '').split(' ');
  if (space.join(' ') === pidSpace) return !isAlive(Number(pid));
  return pid === '' || now - Created * 1000 > longest;
}
