import { setTimeout as sleep } from 'node:timers/promises';
import type { Placed } from '../pipelines/desired.ts';
import type { Environment, Host } from '../pipelines/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../pipelines/record.ts';
import { existingContainers } from '../pipelines/standby.ts';
import { labels } from '../infra/containers.ts';
import type { OutputStream } from '../infra/engine/client.ts';
import type { Connections } from '../infra/engine/connections.ts';
import { containerName } from '../infra/observe.ts';
import type { Selection } from './select.ts';

/** A container whose output is read. */
export interface Source {
  readonly host: Host;
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
  /** a container that was not read before is read from here on */
  onNew(source: Source): void;
  onTrouble(source: Source, error: unknown): void;
}

export const sourceOf = ({ host, spec }: Placed): Source => ({
  host,
  role: spec.role,
  version: spec.version,
  container: spec.name,
});

/** Reads what there is, of all containers at once. */
export async function readLogs(reader: LogReader, sources: readonly Source[]): Promise<void> {
  await Promise.all(sources.map((source) => read(reader, source, { tail: reader.tail })));
}

/**
 * Reads on until the signal aborts. Containers that begin to serve or to run are read from then on, those that end
 * are read to their end: so a promotion, a rollback and a restart are all seen.
 */
export async function followLogs(reader: LogReader, sources: readonly Source[]): Promise<void> {
  const { signal } = reader;
  /** containers that run and are not read: standby, unless it begins to serve */
  const resting = new Set<string>();
  const reading = new Set<string>();
  /** when the output of a container ended: it goes on there when the container comes back */
  const ended = new Map<string, Date>();
  const start = (source: Source, from: { tail?: number; since?: Date }) => {
    const key = keyOf(source);
    reading.add(key);
    void read(reader, source, { ...from, follow: true }).finally(() => {
      reading.delete(key);
      ended.set(key, new Date());
    });
  };
  for (const source of sources) start(source, { tail: reader.tail });
  for (const source of await running(reader)) if (!reading.has(keyOf(source))) resting.add(keyOf(source));

  while (!signal.aborted) {
    await sleep(1000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const [present, record] = await Promise.all([running(reader), reader.record().catch(() => undefined)]);
    for (const name of record ? servingKeys(record) : []) resting.delete(name);
    for (const source of present) {
      const key = keyOf(source);
      if (reading.has(key) || resting.has(key)) continue;
      const since = ended.get(key);
      if (!since) reader.onNew(source);
      start(source, since ? { since } : {});
    }
  }
}

async function read(
  reader: LogReader,
  source: Source,
  options: { tail?: number; since?: Date; follow?: boolean },
): Promise<void> {
  try {
    const engine = await reader.connections.engine(source.host);
    for await (const { stream, line } of engine.logs(source.container, { ...options, signal: reader.signal })) {
      reader.onLine(source, stream, line);
    }
  } catch (error) {
    if (!reader.signal.aborted) reader.onTrouble(source, error);
  }
}

/** The environment's own release containers that run now, as far as they are wanted; hosts that do not answer have none. */
async function running(reader: LogReader): Promise<Source[]> {
  const { app, environment, selection, signal } = reader;
  const own = { [labels.app]: app, [labels.environment]: environment.name, [labels.part]: 'release' };
  const hosts = environment.hosts.filter(({ name }) => (selection.host ?? name) === name);
  const lists = await Promise.allSettled(
    hosts.map(async (host) => {
      const engine = await reader.connections.engine(host);
      const containers = await engine.listContainers({ labels: own, deadline: 5000, signal });
      return containers.map((container) => ({
        host,
        role: container.Labels[labels.role] ?? '',
        version: container.Labels[labels.release] ?? '',
        container: containerName(container),
      }));
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
