import { setTimeout as sleep } from 'node:timers/promises';
import { CopyPool } from '../../../infra/databases/copy-pool.ts';
import { sweep } from '../../../infra/databases/owner.ts';
import { Engine } from '../../../infra/docker/api/client.ts';
import { bakedOf } from '../../../pipelines/databases/baked.ts';
import { kindNamed, urlOf, variablesOf } from '../../../pipelines/databases/kinds.ts';
import { LockageError, PartialError } from '../../../pipelines/errors.ts';
import { localEngine, madeAtOnce, openDatabase, withGuard, type DatabaseFlags } from '../open-database.ts';
import { countOf } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { print } from '../terminal.ts';

/** Milliseconds between two looks whether the caller still lives. */
const callerEvery = 500;
/** How long a patient sweep goes on trying: an engine that is stopped may be started again. */
const patience = 3600_000;

/** Runs `lockage db bake`. */
export async function dbBakeCommand(
  name: string | undefined,
  flags: DatabaseFlags,
  signal: AbortSignal,
): Promise<void> {
  await runCommand({ ...jsonOf(flags), keyless: true }, signal, (context) =>
    withGuard(signal, async () => {
      const { baked, wanted } = await openDatabase(context, name, flags);
      const { outcome, kind, image, fingerprint, digest, notPushed } = baked;
      const { accessory, environment, release } = wanted;
      if (notPushed) {
        throw new PartialError(`${accessory.name} was baked, and is on this computer only: ${notPushed.message}`, {
          details: [image, ...notPushed.details],
          hint: notPushed.hint ?? 'Run the same command again when the registry answers.',
        });
      }
      const isMigrated = environment.migration && (accessory.migrated ?? kindNamed(kind).isMigrated);
      const of = bakedOf(isMigrated ? release?.version : undefined, accessory.seed);
      const how = { baked: 'baked', pulled: 'baked before, and pulled', unchanged: 'baked before' }[outcome];
      context.terminal.result(
        { outcome, accessory: accessory.name, kind, image, fingerprint, ...(digest ? { digest } : {}) },
        [`${accessory.name} (${kind}) ${how}: ${of}`, image, 'next: `lockage db fork` or `lockage test -- COMMAND`'],
      );
    }),
  );
}

interface ForkFlags extends DatabaseFlags {
  readonly count: string;
  readonly stdin?: boolean;
}

/** Runs `lockage db fork`: until it is stopped, or its caller ends. */
export async function dbForkCommand(name: string | undefined, flags: ForkFlags, signal: AbortSignal): Promise<void> {
  const count = countOf(flags.count, '--count');
  const caller = process.ppid;
  await runCommand({ ...jsonOf(flags), keyless: true }, signal, (context) =>
    withGuard(signal, async () => {
      const { baked, wanted } = await openDatabase(context, name, flags);
      const forks = await context.databases.forks(baked, wanted.host, false);
      const pool = new CopyPool(forks, { first: count, spare: 0, atOnce: madeAtOnce() }, signal);
      try {
        await pool.fill();
        const made = await Promise.all(Array.from({ length: count }, () => pool.take()));
        const urls = made.map((fork) => urlOf(baked.kind, fork));
        context.terminal.result(
          {
            accessory: wanted.accessory.name,
            kind: baked.kind,
            image: baked.image,
            forks: made.map((fork) => ({
              ...fork,
              url: urlOf(baked.kind, fork),
              variables: variablesOf(baked.kind, fork),
            })),
          },
          urls,
        );
        context.terminal.note('they go with this command: Ctrl-C ends it');
        await untilOver(caller, flags.stdin ?? false, signal);
      } finally {
        // What is removed then does not grow again.
        await pool.close();
        await forks.close();
      }
    }),
  );
}

/** Resolves when whoever called this command is gone, its input has ended, or it is to stop. */
async function untilOver(caller: number, withStdin: boolean, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  if (withStdin) process.stdin.resume().once('end', () => ended.abort());
  const over = AbortSignal.any([signal, ended.signal]);
  while (!over.aborted && process.ppid === caller) {
    await sleep(callerEvery, undefined, { signal: over }).catch(() => undefined);
  }
}

interface SweepFlags {
  readonly json?: boolean;
  readonly patient?: boolean;
}

/** Runs `lockage db sweep`. */
export async function dbSweepCommand(
  { json = false, patient = false }: SweepFlags,
  signal: AbortSignal,
): Promise<void> {
  const host = await localEngine();
  if (host.endpoint.kind !== 'unix') return;
  const engine = new Engine({ host: host.name, socketPath: host.endpoint.socket });
  try {
    const swept = patient ? await sweepInTime(engine, signal) : await sweep(engine);
    const { containers, networks, volumes } = swept;
    if (json) print(JSON.stringify(swept), 'stdout');
    else
      print(
        `removed ${containers.length} containers, ${networks.length} networks, ${volumes.length} volumes`,
        'stdout',
      );
  } finally {
    engine.close();
  }
}

/** Sweeps until the engine has answered, and once more after it: what was being made when its owner was killed comes late. */
async function sweepInTime(engine: Engine, signal: AbortSignal) {
  const end = performance.now() + patience;
  for (let pause = 500; ; pause = Math.min(pause * 2, 30_000)) {
    try {
      const first = await sweep(engine);
      await sleep(3000, undefined, { signal });
      const second = await sweep(engine);
      return {
        containers: [...first.containers, ...second.containers],
        networks: [...first.networks, ...second.networks],
        volumes: [...first.volumes, ...second.volumes],
      };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof LockageError) || performance.now() > end) throw error;
      await sleep(pause, undefined, { signal });
    }
  }
}

function jsonOf({ json }: DatabaseFlags): { readonly json?: boolean } {
  return json ? { json } : {};
}
