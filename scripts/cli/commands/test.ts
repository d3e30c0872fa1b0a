import { realpath } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CopyPool } from '../../../infra/databases/copy-pool.ts';
import { CopyServer } from '../../../infra/databases/copy-server.ts';
import type { CopySource } from '../../../infra/databases/copies.ts';
import { runAttached } from '../../../infra/system/process.ts';
import { workerVariables, type DatabaseKind } from '../../../pipelines/databases/kinds.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { madeAtOnce, openDatabase, withGuard, type DatabaseFlags } from '../open-database.ts';
import { countOf } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { ConsoleTerminal } from '../terminal.ts';
import { environmentVariables, withEnvironments } from '../test-environments.ts';
import { Redactor } from '../../tools/redactor.ts';

interface TestFlags extends DatabaseFlags {
  readonly parallel: string;
  readonly database?: string;
  readonly strategy: 'fork' | 'template';
  readonly per: 'worker' | 'test';
  /** an environment, or one of its revisions, that each worker gets one like */
  readonly environment?: string;
  readonly ttl: string;
}

/** Runs `lockage test`: its exit code is that of the command. */
export async function testCommand(argv: readonly string[], flags: TestFlags, signal: AbortSignal): Promise<void> {
  const parallel = countOf(flags.parallel, '--parallel');
  const { strategy, per } = flags;
  if (flags.environment !== undefined)
    return testEnvironments(argv, { ...flags, environment: flags.environment, count: parallel }, signal);
  await runCommand({ keyless: true }, signal, (context) =>
    withGuard(signal, async () => {
      const { baked, wanted } = await openDatabase(context, flags.database, flags);
      if (strategy === 'template') refuseOther(baked.kind);
      const mayReuse = per === 'test' && strategy === 'fork';
      const forks = await context.databases.forks(baked, wanted.host, mayReuse);
      try {
        const source = strategy === 'template' ? await forks.template() : forks;
        const run = { source, kind: baked.kind, parallel, isPerTest: per === 'test' };
        process.exitCode = await runTests(argv, run, signal);
      } finally {
        await forks.close();
      }
    }),
  );
}

/** Runs the command with an environment for each worker: the application, and accessories of its own. */
async function testEnvironments(
  argv: readonly string[],
  flags: TestFlags & { readonly environment: string; /** how many */ readonly count: number },
  signal: AbortSignal,
): Promise<void> {
  const { environment: from, count, database, env, release, ttl } = flags;
  if (database !== undefined || env !== undefined || flags.per === 'test' || flags.strategy === 'template') {
    throw new LockageError('--environment gives each worker an environment, with databases of its own', {
      hint: 'Leave out --database, --env, --per and --strategy.',
    });
  }
  const terminal = new ConsoleTerminal({ json: false, yes: true, redactor: new Redactor(), signal });
  process.exitCode = await withEnvironments({ from, release, count, ttl, terminal, signal }, (environments) =>
    runAttached(argv, environmentVariables(environments), signal),
  );
}

interface TestRun {
  readonly source: CopySource;
  readonly kind: DatabaseKind;
  /** tests at a time */
  readonly parallel: number;
  /** copies are kept ready for each test, in place of one for each worker from the start */
  readonly isPerTest: boolean;
}

/** Runs the command with the variables that lead to databases. Returns its exit code. */
async function runTests(argv: readonly string[], run: TestRun, signal: AbortSignal): Promise<number> {
  const { source, kind, parallel, isPerTest } = run;
  // One that can be used again is soon ready again, so that few are enough besides those that tests have.
  const spare = source.renew ? availableParallelism() : parallel;
  const sizes = { first: parallel, spare: isPerTest ? spare : 0, atOnce: madeAtOnce() };
  const pool = new CopyPool(source, sizes, signal);
  const server = await CopyServer.start(pool, kind);
  try {
    await pool.fill();
    const workers = isPerTest ? [] : await Promise.all(Array.from({ length: parallel }, () => pool.take()));
    const variables = {
      ...workerVariables(kind, workers),
      LOCKAGE_DATABASES: server.url,
      LOCKAGE_TEST_HELPER: pathToFileURL(join(dirname(await realpath(process.argv[1] ?? '')), 'testing.mjs')).href,
      LOCKAGE_TEST_WORKERS: String(parallel),
    };
    return await runAttached(argv, variables, signal);
  } finally {
    await server.close();
    await pool.close();
    await source.close();
  }
}

function refuseOther(kind: DatabaseKind): void {
  if (kind === 'postgres') return;
  throw new LockageError(`--strategy template is PostgreSQL's own, and this is ${kind}`, {
    hint: 'Leave it out: each copy is a fork then.',
  });
}
