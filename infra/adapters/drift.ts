import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { withoutRemoved, type Drift, type HostDrift } from '../../pipelines/inspection/drift.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import { surplusOf } from '../../pipelines/planning/standby.ts';
import { printable } from '../../pipelines/text/printable.ts';
import type { DriftPort, Evidence } from '../../pipelines/operations/ports/drift.ts';
import type { Session } from '../context/session.ts';
import { findDrift } from '../hosts/drift.ts';
import type { Timeouts } from '../hosts/query.ts';
import { writeAtomic } from '../system/atomic-file.ts';
import { lastLinesOf } from '../workloads/last-lines.ts';
import { runtimeOf } from '../workloads/runtimes.ts';
import type { RecordsAdapter } from './records.ts';

/** Every container is looked into: a busy host needs some seconds. */
const timeouts: Timeouts = { first: 5000, total: 60_000 };
/** Lines that are kept of an output, and changed paths. */
const mostLines = 500;
const mostPaths = 1000;
/** Milliseconds for an output to be read. */
const readTimeout = 15_000;
/** Folders that are kept for an environment: the oldest go. */
const mostFolders = 20;

interface Dependencies {
  readonly app: string;
  readonly session: Session;
  readonly records: RecordsAdapter;
  /** where evidence is kept */
  readonly folder: string;
  /** Returns a text without the values of secrets that this command has read. */
  readonly mask: (text: string) => string;
}

/** What hosts have that is not as it is recorded: found, and kept of what goes. */
export class DriftAdapter implements DriftPort {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  async find(environment: Environment, record: EnvironmentRecord): Promise<readonly HostDrift[]> {
    const { app, session, records } = this.#dependencies;
    const standing = await records.standing(environment.name);
    const found = await findDrift(session.connections, app, environment, { record, standing }, timeouts);
    const surplus = surplusOf(record, environment.standby);
    return found.map((each) => withoutRemoved(each, surplus));
  }

  async keep(
    environment: string,
    evidence: readonly Evidence[],
    options: { readonly output: boolean },
  ): Promise<string> {
    const { folder, mask } = this.#dependencies;
    const own = join(folder, environment);
    const name = new Date().toISOString().replaceAll(':', '-');
    try {
      await Promise.all(
        evidence.map(async (each) => {
          const text = await this.#textOf(each, options.output);
          // Masked first: what is made printable may not be known any more.
          const shown = mask(text).split('\n').map(printable).join('\n');
          await writeAtomic(join(own, name, `${each.host.name} ${each.what}.txt`), shown);
        }),
      );
      await removeOldest(own);
    } catch (error) {
      throw new LockageError(`what drifted in ${environment} cannot be kept: ${messageOf(error)}`, {
        hint: `See to it that ${own} can be written, then run the same command again.`,
        cause: error,
      });
    }
    return join(own, name);
  }

  async #textOf({ host, what, drift }: Evidence, output: boolean): Promise<string> {
    const { mask } = this.#dependencies;
    const [changes, lines] = await Promise.all([
      this.#read({ host, what }, changesOf),
      output ? this.#read({ host, what }, (engine, part) => outputOf(engine, part, mask)) : ['(not kept)'],
    ]);
    return [
      `${what} on ${host.name}, before it was healed`,
      ...['', 'Drift:', ...drift.map(rowOf)],
      ...['', 'Files that differ from the image:', ...changes],
      ...['', `Output, the last ${mostLines} lines:`, ...lines, ''],
    ].join('\n');
  }

  /** What cannot be read is said in its place: a container that is gone has nothing more to tell. */
  async #read(part: Part, read: (engine: Engine, part: Part) => Promise<string[]>): Promise<string[]> {
    try {
      const found = await read(await this.#dependencies.session.connections.engine(part.host), part);
      return found.length === 0 ? ['(none)'] : found;
    } catch (error) {
      return [`(${messageOf(error)})`];
    }
  }
}

type Part = Pick<Evidence, 'host' | 'what'>;
type Engine = Awaited<ReturnType<Session['connections']['engine']>>;

async function changesOf(engine: Engine, { host, what }: Part): Promise<string[]> {
  if (host.kind === 'swarm') return [];
  const changes = (await engine.fileChanges(what)) ?? [];
  const shown = changes.slice(0, mostPaths).map(({ kind, path }) => `${kind} ${path}`);
  return changes.length > mostPaths ? [...shown, `and ${changes.length - mostPaths} more`] : shown;
}

function outputOf(engine: Engine, { host, what }: Part, mask: (text: string) => string): Promise<string[]> {
  const options = { tail: mostLines, timestamps: true, signal: AbortSignal.timeout(readTimeout) };
  return lastLinesOf(runtimeOf(host).logs(engine, what, options), mostLines, mask);
}

function rowOf({ member, expected, actual, since }: Drift): string {
  const found = `${member}: expected ${expected}, found ${actual}`;
  return since === undefined ? found : `${found} (since ${since})`;
}

async function removeOldest(folder: string): Promise<void> {
  const all = (await readdir(folder)).sort();
  await Promise.all(all.slice(0, -mostFolders).map((name) => rm(join(folder, name), { recursive: true, force: true })));
}
