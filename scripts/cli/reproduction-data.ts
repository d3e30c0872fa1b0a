/** The data that a reproduction is asked to begin with: files and images, as they are found here. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseReference } from '../../infra/registry/reference.ts';
import { LockageError, messageOf, RolledBackError } from '../../pipelines/errors.ts';
import { accessoryNamed, environmentNamed } from '../../pipelines/model/pipeline.ts';
import type { RecordedRevision } from '../../pipelines/model/recorded-revision.ts';
import type { ReproductionData } from '../../pipelines/model/reproduction.ts';
import { bakedDataLabel, dataWishes } from '../../pipelines/planning/reproduced-data.ts';
import { writeReproduction, type FoundReproduction } from '../project/reproductions.ts';
import type { CommandContext } from './open-context.ts';
import type { HeldImage } from './reproduction-source.ts';

/** The data that are asked for. */
export interface DataQuestion {
  readonly of: RecordedRevision;
  /** as they were given */
  readonly written: readonly string[];
  /** looks at an image on the engine that is to run it; throws LockageError */
  readonly held: (image: string) => Promise<HeldImage>;
  readonly signal: AbortSignal;
}

/** Finds out what is asked for by `--data`: accessory → its data. Throws LockageError. */
export async function findData(question: DataQuestion): Promise<Record<string, ReproductionData>> {
  const found: Record<string, ReproductionData> = {};
  for (const { accessory, from } of dataWishes(question.of, question.written)) {
    found[accessory] = (await fileOf(from, question.signal)) ?? (await imageOf(from, question));
  }
  return found;
}

async function fileOf(path: string, signal: AbortSignal): Promise<ReproductionData | undefined> {
  const file = resolve(path);
  const found = await stat(file).catch(() => undefined);
  if (!found) return undefined;
  if (!found.isFile()) throw new LockageError(`${path} is no file: --data takes a dump, or an image`);
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file, { signal })) hash.update(chunk as Buffer);
  } catch (error) {
    signal.throwIfAborted();
    throw new LockageError(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return { kind: 'file', file, sha256: hash.digest('hex') };
}

/** Looks at an image: where it has its data, and which variables say so. */
async function imageOf(text: string, { held }: DataQuestion): Promise<ReproductionData> {
  const { reference: image, details } = await held(referenceOf(text));
  const { Labels, Env } = details?.Config ?? {};
  const at = Labels?.[bakedDataLabel];
  if (at === undefined) return { kind: 'image', image, sets: [] };
  if (!/^\/[^\0:]{1,1000}$/.test(at)) {
    throw new LockageError(`${text} says that its data are in ${JSON.stringify(at)}, which is no folder`);
  }
  const sets = (Env ?? []).filter((line) => line.slice(line.indexOf('=') + 1).startsWith(at));
  return { kind: 'image', image, at, sets: sets.map((line) => line.slice(0, line.indexOf('='))) };
}

function referenceOf(text: string): string {
  try {
    parseReference(text);
    return text;
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    throw new LockageError(`there is no file ${text}, and it is no image either`, {
      hint: 'Give `--data` a dump, as `lockage accessory backup` writes it, or an image with data.',
    });
  }
}

/** How often data are sent to an accessory that was just made: some begin once more after they answered first. */
const attempts = 3;

/**
 * Gives the accessories of a reproduction the data of the files that were given, each once: it is written down that they have
 * them. Throws LockageError; nothing of the release runs by then.
 */
export async function restoreData(context: CommandContext, found: FoundReproduction): Promise<void> {
  const environment = environmentNamed(context.project, found.reproduction.name);
  let { reproduction } = found;
  for (const [name, data] of Object.entries(reproduction.data ?? {})) {
    if (data.kind !== 'file' || data.isRestored) continue;
    context.terminal.step('restore', `${name} from ${data.file}`);
    const accessory = accessoryNamed(environment, name);
    await repeated(context, () => context.accessories.restore({ environment, accessory }, data.file));
    reproduction = { ...reproduction, data: { ...reproduction.data, [name]: { ...data, isRestored: true } } };
    await writeReproduction({ ...found, reproduction });
  }
}

/** Repeats what certainly changed nothing. */
async function repeated({ signal }: CommandContext, work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === attempts || signal.aborted || !(error instanceof RolledBackError)) throw error;
      await sleep(3000, undefined, { signal });
    }
  }
}
