import { EngineError, type Engine } from '../docker/api/client.ts';
import { labels } from '../docker/labels.ts';
import { markOfThis, runsStill, type ProcessMark } from '../system/process-mark.ts';

/** The parts of what a command makes for databases: for as long as it lives, and nobody else's. */
export const databaseParts = { bake: 'database-bake', fork: 'database-fork' } as const;

const ownerLabel = 'lockage.owner';
/** Milliseconds after which what a process of another computer has made counts as left behind. */
const longestElsewhere = 24 * 3600_000;

/** Returns labels by which everything of this process is found again, and whether it lives. */
export async function owned(part: string): Promise<Record<string, string>> {
  return { [labels.part]: part, [ownerLabel]: JSON.stringify(await markOfThis()) };
}

/** What was removed, by name. */
export interface Swept {
  readonly containers: readonly string[];
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
}

/**
 * Removes all that has these labels: containers with their data first, then what they used. Returns what it has removed itself:
 * what somebody else is removing at the moment is left to them.
 */
export async function removeOwned(engine: Engine, own: Readonly<Record<string, string>>): Promise<Swept> {
  const containers = await engine.listContainers({ all: true, labels: own });
  const ended = await removed(containers, ({ Id }) => engine.removeContainer(Id, { force: true }), isBeingRemoved);
  const [networks, volumes] = await Promise.all([engine.listNetworks(own), engine.listVolumes(own)]);
  // Containers that somebody else removes use them until they are gone.
  const isLeft = ended.length < containers.length ? isInUse : () => false;
  return {
    containers: ended.map(({ Names, Id }) => (Names[0] ?? Id).replace(/^\//, '')),
    networks: await removed(networks, (name) => engine.removeNetwork(name), isLeft),
    volumes: (await removed(volumes, ({ Name }) => engine.removeVolume(Name), isLeft)).map(({ Name }) => Name),
  };
}

/** Removes things, but those that the engine refuses for a reason that is expected. Returns what was removed. */
async function removed<Thing>(
  things: readonly Thing[],
  remove: (thing: Thing) => Promise<void>,
  isExpected: (refused: EngineError) => boolean,
): Promise<Thing[]> {
  const each = things.map(async (thing) => {
    try {
      await remove(thing);
      return [thing];
    } catch (error) {
      if (error instanceof EngineError && isExpected(error)) return [];
      throw error;
    }
  });
  return (await Promise.all(each)).flat();
}

function isBeingRemoved({ status, reason }: EngineError): boolean {
  return status === 409 && /already in progress/i.test(reason);
}

/** The engine answers 403 for a network, and 409 for a volume. */
function isInUse({ status }: EngineError): boolean {
  return status === 403 || status === 409;
}

/** Removes what commands that are gone have left behind on an engine. What belongs to one that runs stays. */
export async function sweep(engine: Engine): Promise<Swept> {
  const swept = { containers: [] as string[], networks: [] as string[], volumes: [] as string[] };
  for (const owner of await ownersOn(engine)) {
    const found = await removeOwned(engine, { [ownerLabel]: owner });
    swept.containers.push(...found.containers);
    swept.networks.push(...found.networks);
    swept.volumes.push(...found.volumes);
  }
  return swept;
}

/** Returns the labels of owners that are gone. */
async function ownersOn(engine: Engine): Promise<string[]> {
  const [containers, networks, volumes] = await Promise.all([
    engine.listContainers({ all: true, labels: { [ownerLabel]: '' } }),
    engine.networksWith(ownerLabel),
    engine.volumesWith(ownerLabel),
  ]);
  const seen = new Map<string, number>();
  for (const { Labels, Created } of containers) note(seen, Labels, Created * 1000);
  for (const each of [...networks, ...volumes]) note(seen, each.labels, Date.parse(each.createdAt));
  if (seen.size === 0) return [];
  const now = Date.parse((await engine.info()).SystemTime);
  const gone = await Promise.all(
    [...seen].map(async ([owner, newest]) => ((await isGone(owner, now - newest)) ? [owner] : [])),
  );
  return gone.flat();
}

function note(seen: Map<string, number>, found: Readonly<Record<string, string>>, created: number): void {
  const owner = found[ownerLabel];
  if (owner !== undefined) seen.set(owner, Math.max(seen.get(owner) ?? 0, created));
}

/** `age`: milliseconds since the newest thing of it was made. */
async function isGone(owner: string, age: number): Promise<boolean> {
  const mark = markIn(owner);
  const runs = mark && (await runsStill(mark));
  return runs === undefined ? age > longestElsewhere : !runs;
}

/** Returns what a label says; undefined for one that nothing of ours wrote. */
function markIn(text: string): ProcessMark | undefined {
  try {
    const mark = JSON.parse(text) as ProcessMark;
    const texts = [mark.machine, mark.pidSpace, mark.started].every((each) => typeof each === 'string');
    return texts && Number.isSafeInteger(mark.pid) ? mark : undefined;
  } catch {
    return undefined;
  }
}
