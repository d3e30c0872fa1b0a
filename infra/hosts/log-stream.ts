import { setTimeout as sleep } from 'node:timers/promises';
import type { Selection } from '../../pipelines/inspection/select-serving.ts';
import type { PlacedContainer } from '../../pipelines/model/desired-state.ts';
import { placesOf, type Environment } from '../../pipelines/model/environment.ts';
import { currentRevision, existingContainers, type EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { Target } from '../../pipelines/model/target.ts';
import type { Engine, LogOptions, OutputStream } from '../docker/api/client.ts';
import type { Connections } from '../docker/connections.ts';
import { runtimeOf } from '../workloads/runtimes.ts';

/** A container whose output is read. */
export interface Source {
  readonly host: Target;
  readonly role: string;
  readonly version: string;
  readonly container: string;
}

export interface LogReader {
  readonly connections: Connections;
  readonly app: string;
  readonly environment: Environment;
  readonly selection: Selection;
  /** lines of each container to begin with */
  readonly tail: number;
  readonly signal: AbortSignal;
  record(): Promise<EnvironmentRecord>;
  onLine(source: Source, stream: OutputStream, line: string): void;
  /** called when another container is read from here on */
  onNew(source: Source): void;
  onTrouble(source: Source, error: unknown): void;
}

export const sourceOf = ({ host, spec }: PlacedContainer): Source => ({
  host,
  role: spec.role,
  version: spec.version,
  container: spec.name,
});

/** Reads the existing output of all containers at once. */
export async function readLogs(reader: LogReader, sources: readonly Source[]): Promise<void> {
  await Promise.all(sources.map((source) => read(reader, source, { tail: reader.tail })));
}

/**
 * Reads new output until the signal aborts. Containers that begin to serve or to run are read from then on, and those
 * that end are read to their end: so the output covers a promotion, a rollback or a restart.
 */
export async function followLogs(reader: LogReader, sources: readonly Source[]): Promise<void> {
  const { signal } = reader;
  const reading = new Set<string>();
  const start = (source: Source, from: Beginning) => {
    reading.add(keyOf(source));
    void read(reader, source, { ...from, follow: true }).finally(() => reading.delete(keyOf(source)));
  };
  for (const source of sources) start(source, { tail: reader.tail });
  let lastLook = performance.now();
  /** containers of earlier releases: read only from when they begin to run or to serve, without older output */
  const before = await listReleaseContainers(reader);
  const known = new Set(before.map(keyOf));
  const resting = new Set(before.filter((source) => source.runs && !reading.has(keyOf(source))).map(keyOf));

  while (!signal.aborted) {
    await sleep(1000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const thisLook = performance.now();
    const [now, record] = await Promise.all([listReleaseContainers(reader), reader.record().catch(() => undefined)]);
    for (const key of record ? servingKeys(record) : []) resting.delete(key);
    for (const source of now) {
      const key = keyOf(source);
      if (!source.runs) resting.delete(key);
      if (!source.runs || reading.has(key) || resting.has(key)) continue;
      reader.onNew(source);
      start(source, known.has(key) ? { after: lastLook } : {});
      known.add(key);
    }
    lastLook = thisLook;
  }
}

/** Where the reading of a container begins; with its first line by default. */
interface Beginning {
  /** so many lines before its end */
  readonly tail?: number;
  /** with what it says after a moment, by `performance.now` */
  readonly after?: number;
}

async function read(
  reader: LogReader,
  source: Source,
  { after, ...options }: Beginning & { readonly follow?: boolean },
): Promise<void> {
  const { signal } = reader;
  try {
    const engine = await reader.connections.engine(source.host);
    const from = after === undefined ? {} : await momentThere(engine, after, signal);
    const { host, container } = source;
    for await (const { stream, line } of runtimeOf(host).logs(engine, container, { ...options, ...from, signal })) {
      reader.onLine(source, stream, line);
    }
  } catch (error) {
    if (!signal.aborted) reader.onTrouble(source, error);
  }
}

/** Returns a moment by the clock of a host, which is the one that its output is dated by; from now on where it does not tell. */
async function momentThere(
  engine: Engine,
  moment: number,
  signal: AbortSignal,
): Promise<Pick<LogOptions, 'since' | 'tail'>> {
  const { SystemTime } = await engine.info({ signal });
  const now = Date.parse(SystemTime);
  return Number.isNaN(now) ? { tail: 0 } : { since: new Date(now - (performance.now() - moment)) };
}

/** Lists the environment's own release containers that match the selection; hosts that do not answer have none. */
async function listReleaseContainers(reader: LogReader): Promise<(Source & { readonly runs: boolean })[]> {
  const { app, environment, selection, signal } = reader;
  const place = { app, environment: environment.name };
  const hosts = placesOf(environment).filter(({ name }) => (selection.host ?? name) === name);
  const lists = await Promise.allSettled(
    hosts.map(async (host) => {
      const engine = await reader.connections.engine(host);
      const parts = await runtimeOf(host).releaseParts(engine, place, { deadline: 5000, signal });
      return parts.map((part) => ({ host, ...part }));
    }),
  );
  return lists
    .flatMap((list) => (list.status === 'fulfilled' ? list.value : []))
    .filter(({ role }) => (selection.role ?? role) === role);
}

function servingKeys(record: EnvironmentRecord): string[] {
  const current = currentRevision(record.ledger);
  return current ? existingContainers(record, current).map((placed) => keyOf(sourceOf(placed))) : [];
}

function keyOf({ host, container }: Source): string {
  return `${host.name}/${container}`;
}
