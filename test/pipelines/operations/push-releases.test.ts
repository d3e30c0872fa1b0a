import { describe, expect, test } from 'vitest';
import { LockageError, PartialError } from '../../../pipelines/errors.ts';
import type { Digest, Release } from '../../../pipelines/model/release.ts';
import type { Context } from '../../../pipelines/operations/ports.ts';
import type { CopiedImage } from '../../../pipelines/operations/ports/registry.ts';
import { pushReleases } from '../../../pipelines/operations/push-releases.ts';
import { record, release } from '../model/values.ts';

const to = 'r.example.com/shop';
const embedded = 'embedded.lockage.internal/shop-01234567';
const made = (version: string, changes: Partial<Release> = {}): Release => ({
  ...release(version),
  ...{ repository: embedded, builder: 'anna@desk' },
  ...changes,
});

interface Setting {
  readonly releases: readonly Release[];
  /** version → what it is in the repository */
  readonly there?: Readonly<Record<string, Digest>>;
  readonly absent?: readonly string[];
}

function open({ releases, there = {}, absent = [] }: Setting) {
  const copied: string[] = [];
  const context = {
    project: { environments: [] },
    actor: 'anna@desk',
    signal: new AbortController().signal,
    terminal: { step: () => undefined },
    records: {
      releases: async () => releases,
      environments: async () => [],
      archives: async () => [],
      environment: async () => record([]),
    },
    registry: {
      tagged: async (_repository: string, version: string) => there[version],
      copy: async ({ version, digest }: Release, target: string): Promise<CopiedImage> => {
        copied.push(`${version} to ${target}`);
        if (absent.includes(version)) return { outcome: 'absent', bytes: 0 };
        return there[version] === digest ? { outcome: 'present', bytes: 0 } : { outcome: 'copied', bytes: 10 };
      },
    },
  } as unknown as Context;
  return { context, copied };
}

describe('all releases of this computer’s registry', () => {
  test('are copied in their order, and what is there counts for nothing', async () => {
    const releases = [
      made('1.0.0'),
      made('1.1.0'),
      made('2.0.0', { repository: 'other.example.com/x', adopted: true }),
    ];
    const { context, copied } = open({ releases, there: { '1.0.0': release('1.0.0').digest } });
    expect(await pushReleases(context, { to })).toMatchObject({
      to,
      bytes: 10,
      releases: [
        { version: '1.0.0', digest: release('1.0.0').digest, outcome: 'present', bytes: 0 },
        { version: '1.1.0', digest: release('1.1.0').digest, outcome: 'copied', bytes: 10 },
      ],
      notes: ['2.0.0 stays in other.example.com/x'],
    });
    expect(copied).toEqual([`1.0.0 to ${to}`, `1.1.0 to ${to}`]);
  });

  test('are not copied where one of them is something else there', async () => {
    const { context, copied } = open({
      releases: [made('1.0.0'), made('1.1.0')],
      there: { '1.1.0': `sha256:${'9'.repeat(64)}` },
    });
    const error = await pushReleases(context, { to }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: 'LockageError',
      details: [expect.stringMatching(/^1\.1\.0 was released as .*, and is 999999999999 there$/)],
    });
    expect(copied).toEqual([]);
  });

  test('that another operator made are named, when the others are copied', async () => {
    const { context, copied } = open({
      releases: [made('1.0.0', { builder: 'bob@tower' }), made('1.1.0')],
      absent: ['1.0.0'],
    });
    const error = await pushReleases(context, { to }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PartialError);
    expect(error).toMatchObject({ details: ['1.0.0 was made by bob@tower'] });
    expect(copied).toHaveLength(2);
  });

  test('that were pruned here are no failure', async () => {
    const { context } = open({ releases: [made('1.0.0'), made('1.1.0')], absent: ['1.0.0'] });
    expect((await pushReleases(context, { to })).notes).toEqual([expect.stringContaining('1.0.0 is no more')]);
  });

  test.each(['shop', 'https://r.example.com/shop', 'r.example.com/shop:1', embedded])(
    'are not copied to %s',
    async (wrong) => {
      const { context, copied } = open({ releases: [made('1.0.0')] });
      await expect(pushReleases(context, { to: wrong })).rejects.toBeInstanceOf(LockageError);
      expect(copied).toEqual([]);
    },
  );
});
