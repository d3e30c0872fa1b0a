/** Where the data of a reproduction's accessories come from: they are never copied from another environment by themselves. */
import { LockageError } from '../errors.ts';
import type { Accessory } from '../model/environment.ts';
import { fingerprint } from '../model/fingerprint.ts';
import { own } from '../model/own.ts';
import type { RecordedRevision } from '../model/recorded-revision.ts';
import type { Reproduction, ReproductionData } from '../model/reproduction.ts';
import { didYouMean } from '../text/suggest.ts';

/** The label of a baked database image: the folder in which it has its data. */
export const bakedDataLabel = 'lockage.db.data';

/** A wish for data, as it was written: `db=shop.dump` → the accessory and the rest. */
export interface DataWish {
  readonly accessory: string;
  /** a file, or an image */
  readonly from: string;
}

/**
 * Reads `NAME=FROM`, or `FROM` where one accessory alone has data. Throws LockageError with the accessories that there are.
 */
export function dataWishes({ accessories, environment }: RecordedRevision, written: readonly string[]): DataWish[] {
  const names = accessories.filter(({ volumes }) => Object.keys(volumes).length > 0).map(({ name }) => name);
  const list = names.length === 0 ? 'no accessory of it has data' : `there are ${names.join(', ')}`;
  const wishes = written.map((text) => {
    const [, name, rest] = /^([a-z0-9-]+)=(.+)$/s.exec(text) ?? [];
    const [only, another] = names;
    const accessory = name ?? (another === undefined ? only : undefined);
    const from = rest ?? text;
    if (accessory === undefined || from === '') {
      const what = `--data ${text}: which accessory of ${environment}?`;
      throw new LockageError(what, { details: [list], hint: 'Write `--data NAME=FILE` or `--data NAME=IMAGE`.' });
    }
    if (names.includes(accessory)) return { accessory, from };
    const what = `${environment} has no accessory ${accessory} with data${didYouMean(accessory, names)}`;
    throw new LockageError(what, { details: [list] });
  });
  const twice = wishes.find(({ accessory }, index) => wishes.findIndex((each) => each.accessory === accessory) < index);
  if (!twice) return wishes;
  throw new LockageError(`--data is given twice for ${twice.accessory}: it begins with one of them`);
}

/**
 * Returns the data that a reproduction has. What was chosen when it was made stays: data that are there are replaced by no
 * option. Throws LockageError.
 */
export function chosenData(
  name: string,
  chosen: Readonly<Record<string, ReproductionData>>,
  before: Reproduction | undefined,
): Readonly<Record<string, ReproductionData>> {
  if (!before) return chosen;
  const known = before.data ?? {};
  for (const [accessory, data] of Object.entries(chosen)) {
    const there = own(known, accessory);
    if (there && sameData(there, data)) continue;
    const has = there ? `the data of ${textOfData(there)}` : 'data of its own';
    throw new LockageError(`${accessory} of ${name} has ${has} already`, {
      hint:
        data.kind === 'file' && !(there?.kind === 'file' && !there.isRestored)
          ? `Run \`lockage accessory restore ${name} ${accessory} ${data.file}\` to replace them.`
          : `Remove it with its data first: \`lockage destroy ${name} --volumes\`.`,
    });
  }
  return known;
}

function sameData(a: ReproductionData, b: ReproductionData): boolean {
  if (a.kind === 'file') return b.kind === 'file' && a.sha256 === b.sha256;
  return b.kind === 'image' && a.image === b.image;
}

/** Says where data come from. */
export function textOfData(data: ReproductionData): string {
  return data.kind === 'image' ? `image ${data.image}` : `${data.file} (${data.sha256.slice(0, 12)})`;
}

/**
 * Returns an accessory that begins with the data of an image. An engine fills a new volume with what the image has in that place, so
 * what is written from then on outlives the container. Another image has another volume.
 */
export function withData(accessory: Accessory, data: ReproductionData | undefined): Accessory {
  if (data?.kind !== 'image') return accessory;
  const { image, at, sets } = data;
  const mark = fingerprint(image);
  const volumes: readonly (readonly [string, string])[] =
    at === undefined ? Object.entries(accessory.volumes) : [['data', at]];
  return {
    ...accessory,
    image,
    // What the image says of its own data counts, as the folder of PostgreSQL.
    env: Object.fromEntries(Object.entries(accessory.env).filter(([key]) => !sets.includes(key))),
    volumes: Object.fromEntries(volumes.map(([volume, path]) => [`${volume.slice(0, 31)}-${mark}`, path])),
  };
}
