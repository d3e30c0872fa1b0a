import type { RunningMigration } from '../../../pipelines/model/host-report.ts';
import { isMigration } from '../../../pipelines/model/names.ts';
import type { ContainerSummary } from '../../docker/api/client.ts';
import { containerName } from '../../docker/api/names.ts';
import { isOwnedBy, labels } from '../../docker/labels.ts';
import type { Place } from '../../resources/inputs.ts';

/** Returns the migrations of an environment's releases that are at work among the containers of a host. */
export function runningMigrations(
  containers: readonly ContainerSummary[],
  host: string,
  place: Place,
): RunningMigration[] {
  const { app, environment } = place;
  return containers.flatMap((container) => {
    const name = containerName(container);
    const { Created, Labels, State } = container;
    const isOwn = isOwnedBy(Labels, place) && Labels[labels.part] === 'release';
    if (!isOwn || !isMigration(app, environment, name) || !['running', 'paused'].includes(State)) return [];
    return [{ host, name, version: Labels[labels.release] ?? '', since: new Date(Created * 1000).toISOString() }];
  });
}
