import { availableParallelism } from 'node:os';
import type { BakedDatabase, DatabaseWanted } from '../../infra/adapters/databases.ts';
import { sweep } from '../../infra/databases/owner.ts';
import type { Engine } from '../../infra/docker/api/client.ts';
import { engineAtHand } from '../../infra/hosts/engine-at-hand.ts';
import { startAtEnd } from '../../infra/system/process.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { Accessory, Environment } from '../../pipelines/model/environment.ts';
import { accessoryNamed, environmentNamed, firstEnvironment } from '../../pipelines/model/pipeline.ts';
import type { Release } from '../../pipelines/model/release.ts';
import { newestRelease, releaseNamed } from '../../pipelines/model/releases.ts';
import type { Host } from '../../pipelines/model/target.ts';
import type { CommandContext } from './open-context.ts';

/** Options of every command that is about a database for tests. */
export interface DatabaseFlags {
  readonly json?: boolean;
  readonly env?: string;
  readonly release?: string;
}

/**
 * Finds out which database is meant, removes what killed commands have left behind, and makes sure of its baked image. Throws
 * LockageError.
 */
export async function openDatabase(
  context: CommandContext,
  name: string | undefined,
  flags: DatabaseFlags,
): Promise<{ readonly baked: BakedDatabase; readonly wanted: DatabaseWanted }> {
  const { project } = context;
  const environment = environmentOf(context, flags.env);
  const accessory = accessoryOf(environment, name);
  const release = await releaseOf(context, flags.release);
  const host = await localEngine();
  const engine = await context.connections.engine(host);
  await removeLeft(context, engine);
  const wanted = { environment, accessory, release, host };
  const baked = await context.databases.ensure(wanted);
  if (baked.outcome === 'baked' && !baked.notPushed)
    context.terminal.note(`pushed to ${project.repository}: others get it from there`);
  return { baked, wanted };
}

/** Returns how many copies are made at a time: to start one is work for the processor, and waits for the engine in between. */
export function madeAtOnce(): number {
  return 2 * availableParallelism();
}

/** Removes what killed commands have left behind. What cannot be removed now goes with a later command. */
async function removeLeft({ terminal }: CommandContext, engine: Engine): Promise<void> {
  try {
    const { containers } = await sweep(engine);
    if (containers.length > 0) terminal.note(`${containers.length} databases of commands that are gone were removed`);
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    terminal.note(`not everything of commands that are gone was removed: ${error.message}`);
  }
}

/** Returns the engine at hand, which has to be reached by a socket: forks listen on its own loopback alone. Throws LockageError. */
export async function localEngine(): Promise<Host> {
  const host = await engineAtHand(process.env);
  if (host.endpoint.kind === 'unix') return host;
  throw new LockageError('databases for tests run on an engine of this computer, and Docker uses another one', {
    details: ['they listen on the loopback of their engine alone'],
    hint: 'Run `docker context use default`, or unset DOCKER_HOST.',
  });
}

/**
 * Does work with databases, cleaning included. Where this process ends before that, or it does not end well, or it is stopped, all that
 * it has made is removed after it.
 */
export async function withGuard(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const callOff = startAtEnd([process.execPath, process.argv[1] ?? '', 'db', 'sweep', '--patient']);
  await work();
  // What was being made when the signal came may appear on the engine after the cleaning.
  if (!signal.aborted) callOff();
}

function environmentOf({ project }: CommandContext, name: string | undefined): Environment {
  if (name !== undefined) return environmentNamed(project, name);
  const first = firstEnvironment(project);
  if (!first)
    throw new LockageError('the project has no environment', { hint: 'Run `lockage init` to write a first one.' });
  return first;
}

function accessoryOf(environment: Environment, name: string | undefined): Accessory {
  if (name !== undefined) return accessoryNamed(environment, name);
  const [only, another] = environment.accessories;
  if (only && !another) return only;
  const names = environment.accessories.map((each) => each.name);
  if (names.length > 0) throw new LockageError(`which database is meant: ${names.join(' or ')}?`, { hint: 'Name it.' });
  throw new LockageError(`${environment.name} has no accessories, so no database`, {
    hint: 'Write one under `accessories` in lockage.yaml.',
  });
}

async function releaseOf({ records }: CommandContext, version: string | undefined): Promise<Release | undefined> {
  const releases = await records.releases();
  if (version !== undefined) return releaseNamed(releases, version);
  return releases.length === 0 ? undefined : newestRelease(releases);
}
