import { withoutCordoned, withoutPending } from '../model/cordons.ts';
import { counted, lastNumber } from '../model/fence.ts';
import { accessoryNamed, environmentNamed } from '../model/pipeline.ts';
import { restoredDump, type BackupFile } from '../planning/restored-dump.ts';
import type { AccessoryPlace, BackupResult } from './ports/accessories.ts';
import type { Context } from './ports.ts';
import { recordAgain } from './steps/record-again.ts';
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
  return locked(context, place, 'restore', async () => {
    const taken = await context.accessories.restore(place, file);
    await recordRestored(context, place, taken);
  });
}

/** Records that data are again of the schema from before a migration, which runs once more then: they come from its dump. */
async function recordRestored(
  context: Context,
  { environment, accessory }: AccessoryPlace,
  taken: BackupFile,
): Promise<void> {
  const { name } = environment;
  const record = await context.records.environment(name);
  const { dump, note } = restoredDump(record.ledger.dumps, accessory.name, taken);
  if (note !== undefined) context.terminal.note(note);
  if (!dump) return;
  if (dump.doubtful) {
    context.terminal.note(
      `${dump.file} is from after a migration that did not end well: nobody knows of which schema its data are`,
    );
    return;
  }
  const schema = { ...dump.schema, revision: lastNumber(record.ledger) };
  const { migration: _, ...without } = record;
  const active = withoutPending(withoutCordoned(environment, record.ledger));
  const reports = await context.hosts.look(active);
  const restored = lastNumber(record.ledger);
  const dumps = record.ledger.dumps?.map((each) => (each === dump ? { ...each, restored } : each)) ?? [];
  const ledger = counted({ ...record.ledger, schema, dumps });
  await recordAgain(context, environment, { record: without, ledger, reports, message: `restore ${accessory.name}` });
  context.terminal.note(`the data of ${name} are of schema ${schema.version} again`);
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
