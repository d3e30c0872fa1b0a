import type { Disk } from '../../pipelines/hosts/disk.ts';
import { traitsOf } from '../../pipelines/hosts/parity.ts';
import type { Traits } from '../../pipelines/model/host-traits.ts';
import { imageByDigest, type Release } from '../../pipelines/model/release.ts';
import type { Target } from '../../pipelines/model/target.ts';
import type { Engine } from '../docker/api/client.ts';
import type { EngineInfo } from '../docker/api/types.ts';
import { engineFacts } from '../docker/engine-facts.ts';
import { diskOfEngine } from '../edge/disk.ts';
import { imageByTag } from '../registry/reference.ts';

/** The facts about a host and its condition. Bytes and milliseconds; what could not be found out is absent. */
export interface HostFacts {
  readonly host: string;
  /** version of its Docker Engine */
  readonly engine: string;
  readonly api: string;
  /** `linux/amd64` */
  readonly platform: string;
  readonly kernel?: string;
  readonly traits: Traits;
  readonly cpus: number;
  readonly memory: { readonly total: number; readonly available?: number };
  /** the file system that holds the engine's data */
  readonly disk?: Disk;
  readonly dataFolder: string;
  readonly clock?: Clock;
  readonly images: ImageCache;
}

/** The offset of a host's clock from the operator's (behind: below 0), and how far off that measurement may be. */
export interface Clock {
  readonly ahead: number;
  readonly precision: number;
}

export interface ImageCache {
  /** versions of the retained releases that it has, and has not */
  readonly present: readonly string[];
  readonly missing: readonly string[];
  /** size of all images, whoever they belong to */
  readonly bytes?: number;
}

export interface FactsWanted {
  /** name of the environment's edge container, the only place on a host from which its disk can be seen */
  readonly edge: string;
  /** the releases that a promotion or a rollback may need */
  readonly retained: readonly Release[];
  readonly signal: AbortSignal;
}

/** Asks a host for all its facts at once. Only its engine must answer; anything else that fails is left out. */
export async function hostFacts(engine: Engine, host: Target, wanted: FactsWanted): Promise<HostFacts> {
  const { signal } = wanted;
  const [version, { info, clock }, machine, images] = await Promise.all([
    engine.version({ signal }),
    infoAndClock(engine, signal),
    fromEdge(engine, wanted.edge, signal),
    imageCache(engine, wanted),
  ]);
  return {
    host: host.name,
    engine: version.Version,
    api: version.ApiVersion,
    platform: `${version.Os}/${version.Arch}`,
    ...(version.KernelVersion ? { kernel: version.KernelVersion } : {}),
    traits: traitsOf(engineFacts(version, info)),
    cpus: info.NCPU,
    memory: { total: info.MemTotal, ...(machine.available === undefined ? {} : { available: machine.available }) },
    ...(machine.disk ? { disk: machine.disk } : {}),
    dataFolder: info.DockerRootDir,
    ...(clock ? { clock } : {}),
    images,
  };
}

async function infoAndClock(engine: Engine, signal: AbortSignal): Promise<{ info: EngineInfo; clock?: Clock }> {
  // The API version is agreed upon first: the measurement must be one request and one answer.
  await engine.info({ signal });
  const asked = Date.now();
  const info = await engine.info({ signal });
  const clock = clockOf(info.SystemTime, asked, Date.now());
  return { info, ...(clock ? { clock } : {}) };
}

/** Returns the clock of a host; undefined where it cannot be read. */
export async function clockOn(engine: Engine, signal: AbortSignal): Promise<Clock | undefined> {
  return (await infoAndClock(engine, signal)).clock;
}

/** Returns the clock's offset, from its reading between two moments of this machine (milliseconds since 1970). */
export function clockOf(time: string, asked: number, answered: number): Clock | undefined {
  const shown = Date.parse(time);
  if (Number.isNaN(shown)) return undefined;
  return { ahead: shown - (asked + answered) / 2, precision: (answered - asked) / 2 };
}

interface MachineFacts {
  readonly disk?: Disk;
  readonly available?: number;
}

/**
 * Reads disk and memory from within the edge: its volume lies where the engine keeps its data, and /proc/meminfo is
 * the same in every container.
 */
async function fromEdge(engine: Engine, edge: string, signal: AbortSignal): Promise<MachineFacts> {
  const [disk, meminfo] = await Promise.all([
    diskOfEngine(engine, edge, { signal }),
    engine.exec(edge, ['cat', '/proc/meminfo'], { signal }).then(
      ({ code, stdout }) => (code === 0 ? stdout : ''),
      () => '',
    ),
  ]);
  const available = availableMemory(meminfo);
  return { ...(disk ? { disk } : {}), ...(available === undefined ? {} : { available }) };
}

/** Returns the bytes that /proc/meminfo calls available. */
export function availableMemory(meminfo: string): number | undefined {
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** Milliseconds for an engine to measure its disk, which takes longer the more is stored. */
const measureTimeout = 8_000;

async function imageCache(engine: Engine, { retained, signal }: FactsWanted): Promise<ImageCache> {
  try {
    const { bytes, references } = await engine.imageUse({ signal, deadline: measureTimeout });
    return { ...cached(retained, references), bytes };
  } catch {
    // The engine may take too long to measure, but lists its images quickly.
    const repositories = [...new Set(retained.map(({ repository }) => repository))];
    const lists = await Promise.all(repositories.map((repository) => engine.listImages(repository, { signal })));
    return cached(retained, lists.flat());
  }
}

function cached(retained: readonly Release[], references: readonly string[]): ImageCache {
  const has = new Set(references);
  const isHere = (release: Release) => has.has(imageByDigest(release)) || has.has(imageByTag(release));
  const versions = (releases: readonly Release[]) => releases.map(({ version }) => version);
  return {
    present: versions(retained.filter(isHere)),
    missing: versions(retained.filter((release) => !isHere(release))),
  };
}
