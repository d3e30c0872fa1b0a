import { LockageError } from '../errors.ts';
import { archiveOf, withArchive, withRemoved, type Archive, type ArchiveFile } from '../model/archive.ts';
import type { Environment } from '../model/environment.ts';
import { currentRevision, retired, type EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Revision } from '../model/revision.ts';
import { refuseChanged } from '../policy/unchanged.ts';
import type { DestroyResult, RemovalOptions } from './destroy-result.ts';
import { removeEnvironment } from './destroy.ts';
import type { Context } from './ports.ts';
import { refuseLost } from './steps/refuse-lost.ts';

/** The environment that is to be retired. */
export interface ArchiveRequest {
  readonly environment: string;
  /** where its bundle is to be; absent: in the project's folder, by its name and revision */
  readonly file?: string;
  /** also the data of its accessories go */
  readonly withData: boolean;
}

/** The outcome of an archiving. */
export interface ArchiveResult {
  readonly outcome: 'archived' | 'archived already';
  readonly archive: Archive;
  /** volumes with data that stay on hosts */
  readonly kept: readonly { readonly host: string; readonly volume: string }[];
}

/**
 * Retires an environment: what serves is in a file, which was read once more, before anything goes; then it goes from its
 * hosts, and its record stays. Throws LockageError: refused, and nothing was removed; or BrokenError when something is left.
 */
export async function archive(context: Context, request: ArchiveRequest): Promise<ArchiveResult> {
  const environment = environmentNamed(context.project, request.environment);
  const record = await context.records.environment(environment.name);
  const begun = record.archive ?? (await earlierOf(context, record, environment.name));
  if (begun) return goOn(context, { environment, record, begun }, request);
  // What an older state knows is not what serves, and of one that was lost nothing does.
  await refuseLost(context, environment, record);
  const revision = refuseUnfit(environment, record);
  context.terminal.step('bundle', revision.release.version);
  const { file = defaultFile(environment.name, revision.number) } = request;
  const written = await context.bundles.write(environment.name, revision.number, file);
  const made = archiveOfRecord(context, { environment, revision, record, written });
  const before = async (now: EnvironmentRecord) => {
    refuseChanged(environment, record, now);
    await refuseLost(context, environment, now);
    await recordArchive(context, made);
  };
  return end(context, made, await remove(context, environment, { ...request, file: written.file, before }));
}

/** Returns the archive of an environment that was promoted to again, in vain. */
async function earlierOf(
  { records }: Context,
  { ledger }: EnvironmentRecord,
  name: string,
): Promise<Archive | undefined> {
  if (currentRevision(ledger) || !ledger.revisions.some(({ ended }) => ended !== undefined)) return undefined;
  return archiveOf(await records.archives(), name);
}

interface Begun {
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly begun: Archive;
}

/** Ends what was begun, or removes what was tried since: the file has to be there still. */
async function goOn(
  context: Context,
  { environment, record, begun }: Begun,
  request: ArchiveRequest,
): Promise<ArchiveResult> {
  const isOver = record.archive?.removed && !record.pending && record.containers.length === 0;
  if (isOver) return { outcome: 'archived already', archive: begun, kept: [] };
  context.terminal.step('bundle', begun.version);
  const { file = begun.file, withData } = request;
  await context.bundles.check({ ...begun, file });
  const { removed: _, ...rest } = begun;
  const made = { ...rest, file, ledger: record.ledger };
  const before = async (now: EnvironmentRecord) => {
    refuseChanged(environment, record, now);
    await recordArchive(context, made);
  };
  return end(context, made, await remove(context, environment, { file, withData, before }));
}

function remove(
  context: Context,
  environment: Environment,
  {
    file,
    withData,
    before,
  }: Pick<ArchiveRequest, 'withData'> & { readonly file: string } & Required<Pick<RemovalOptions, 'before'>>,
): Promise<DestroyResult> {
  return removeEnvironment(context, environment, {
    command: 'archive',
    withData,
    question: `What ${environment.name} runs is in ${file}, and its record stays. Remove all of this?`,
    before,
  });
}

async function end(context: Context, begun: Archive, removed: DestroyResult): Promise<ArchiveResult> {
  const ended: Archive = { ...begun, removed: true };
  await context.records.changeArchives((archives) => withRemoved(archives, begun), `${begun.environment} is archived`);
  return { outcome: 'archived', archive: ended, kept: removed.outcome === 'destroyed' ? removed.kept : [] };
}

async function recordArchive({ records }: Context, begun: Archive): Promise<void> {
  await records.changeArchives((archives) => withArchive(archives, begun), `archive ${begun.environment}`);
}

function archiveOfRecord(
  { now, actor }: Context,
  of: {
    readonly environment: Environment;
    readonly revision: Revision;
    readonly record: EnvironmentRecord;
    readonly written: ArchiveFile;
  },
): Archive {
  const { number, release } = of.revision;
  const since = new Date(now()).toISOString();
  return {
    environment: of.environment.name,
    ...{ since, actor, version: release.version, digest: release.digest, revision: number },
    ...of.written,
    ledger: retired(of.record.ledger, since),
  };
}

/** Returns the revision that runs. Throws LockageError when that is not to be archived. */
function refuseUnfit({ name, reproduces }: Environment, { ledger }: EnvironmentRecord): Revision {
  const current = currentRevision(ledger);
  if (reproduces) {
    throw new LockageError(`${name} is a reproduction, which is recorded nowhere else`, {
      hint: `Run \`lockage bundle ${name} -o ${name}.lockage\`, then \`lockage destroy ${name}\`.`,
    });
  }
  if (!current) {
    throw new LockageError(`${name} runs nothing that could be archived`, {
      hint: `Run \`lockage destroy ${name}\` where something is left of it.`,
    });
  }
  const { hold } = ledger;
  if (!hold) return current;
  throw new LockageError(`${name} is on hold: ${hold.reason}`, {
    details: [`the record of what it runs would not say whether that was well`],
    hint: `Run \`lockage resume ${name}\` once it is.`,
  });
}

/** Returns the usual place of a bundle, in the project's folder. */
function defaultFile(environment: string, revision: number): string {
  return `.lockage/archive/${environment}-r${revision}.lockage`;
}
