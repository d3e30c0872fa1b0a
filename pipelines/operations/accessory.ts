import { accessoryNamed, environmentNamed } from '../model/pipeline.ts';
import type { AccessoryPlace, BackupResult, Context } from './ports.ts';
import { refuseLost } from './steps/refuse-lost.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** An accessory of an environment. */
export interface AccessoryRequest {
  readonly environment: string;
  /** its name in the configuration */
  readonly accessory: string;
}

/** A file for the data of an accessory. */
export interface AccessoryFileRequest extends AccessoryRequest {
  readonly file: string;
}

/** The time that it took, in milliseconds. */
export interface AccessoryResult {
  readonly duration: number;
}

/** Stops an accessory, starts it again and waits until it works. Throws LockageError. */
export async function restartAccessory(context: Context, request: AccessoryRequest): Promise<AccessoryResult> {
  const place = placeOf(context, request);
  return locked(context, place, 'restart', () => context.accessories.restart(place));
}

/**
 * Writes the data of an accessory to a file, and proves by a restore elsewhere that they can be had again. Nothing that runs is
 * changed, so nobody is locked out for as long as that takes. Throws LockageError; an earlier file is left then.
 */
export async function backUpAccessory(
  context: Context,
  request: AccessoryFileRequest & { readonly prove: boolean },
): Promise<BackupResult> {
  const { file, prove } = request;
  return context.accessories.backUp(placeOf(context, request), file, { prove });
}

/** Replaces the data of an accessory by those of a file, after a person agreed. Throws LockageError. */
export async function restoreAccessory(context: Context, request: AccessoryFileRequest): Promise<AccessoryResult> {
  const { environment, accessory, file } = request;
  const place = placeOf(context, request);
  await context.accessories.checkBackup(place, file);
  await context.terminal.confirm(`Replace the data of ${accessory} of ${environment} by those of ${file}?`);
  return locked(context, place, 'restore', () => context.accessories.restore(place, file));
}

function placeOf({ project }: Context, request: AccessoryRequest): AccessoryPlace {
  const environment = environmentNamed(project, request.environment);
  return { environment, accessory: accessoryNamed(environment, request.accessory) };
}

async function locked(
  context: Context,
  { environment, accessory }: AccessoryPlace,
  act: string,
  work: () => Promise<void>,
): Promise<AccessoryResult> {
  const startedAt = context.now();
  await withEnvironmentLock(context, { environment, purpose: `${act} ${accessory.name}` }, async () => {
    await refuseLost(context, environment, await context.records.environment(environment.name));
    await work();
  });
  return { duration: context.now() - startedAt };
}
