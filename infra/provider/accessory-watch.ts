import { WorkloadFailedError } from '../../pipelines/errors.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { labels } from '../docker/labels.ts';
import type { WatchInputs } from '../resources/inputs.ts';

/** An accessory that was looked at: when it started, if it runs. */
interface AccessoryStart {
  /** `prod-1: accessory db` */
  readonly what: string;
  readonly started: string | undefined;
}

/** Returns when the accessories of an environment started, on the hosts that have any. */
export async function accessoryStarts(
  context: ProviderContext,
  { app, environment, accessories: hosts = [] }: Pick<WatchInputs, 'app' | 'environment' | 'accessories'>,
): Promise<readonly AccessoryStart[]> {
  const own = { [labels.app]: app, [labels.environment]: environment, [labels.part]: 'accessory' };
  const found = hosts.map(async (host) => {
    const engine = await context.engine(host);
    const containers = await engine.listContainers({ all: true, labels: own });
    return Promise.all(
      containers.map(async ({ Id, Labels }) => {
        const state = (await engine.inspectContainer(Id))?.State;
        const started = state?.Running && !state.Restarting ? state.StartedAt : undefined;
        return { what: `${host.name}: accessory ${Labels[labels.role]}`, started };
      }),
    );
  });
  return (await Promise.all(found)).flat();
}

/** Throws WorkloadFailedError when an accessory does not run now, or was restarted since it was looked at. */
export async function refuseRestarted(
  context: ProviderContext,
  inputs: WatchInputs,
  before: readonly AccessoryStart[],
): Promise<void> {
  const now = new Map((await accessoryStarts(context, inputs)).map(({ what, started }) => [what, started]));
  const failed = before.filter(({ what, started }) => started === undefined || now.get(what) !== started);
  if (failed.length === 0) return;
  const [first, ...rest] = failed.map(({ what }) =>
    now.get(what) === undefined ? `${what} does not run` : `${what} was restarted while the release was watched`,
  );
  throw new WorkloadFailedError(first ?? '', { details: rest });
}
