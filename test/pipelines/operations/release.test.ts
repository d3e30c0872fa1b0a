import { describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import { buildLabels } from '../../../pipelines/model/build-labels.ts';
import type { Digest, Release } from '../../../pipelines/model/release.ts';
import { withRelease } from '../../../pipelines/model/releases.ts';
import type { BuildSource } from '../../../pipelines/operations/ports/builder.ts';
import type { Context } from '../../../pipelines/operations/ports.ts';
import { release } from '../../../pipelines/operations/release.ts';

const commit = 'c'.repeat(40);
const digestOf = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
const made = { app: 'shop', version: '1.4.0', commit, dirty: false };

interface Setting {
  readonly changes?: readonly string[];
  /** nothing was ever committed */
  readonly uncommitted?: true;
  readonly recorded?: readonly Release[];
  /** the tag's image in the registry */
  readonly pushed?: { readonly digest: Digest; readonly labels: Readonly<Record<string, string>> };
  /** what others do while the image is built */
  readonly meanwhile?: (world: { recorded: readonly Release[]; pushed: Setting['pushed'] }) => void;
  /** what others have recorded when the image is pushed */
  readonly faster?: Release;
  /** the registry takes no tag any more */
  readonly readOnly?: true;
}

function open({ changes = [], uncommitted, recorded = [], pushed, meanwhile, faster, readOnly }: Setting) {
  const world = { recorded, pushed };
  const events: string[] = [];
  const sources: BuildSource[] = [];
  let labelled: Readonly<Record<string, string>> = {};
  const context = {
    project: { app: 'shop', repository: 'r/shop' },
    actor: 'alice@desk',
    now: () => 0,
    terminal: { step: () => undefined, note: (text: string) => void events.push(text) },
    records: {
      releases: async () => world.recorded,
      addRelease: async (added: Release) => {
        world.recorded = withRelease(world.recorded, added);
        return added;
      },
    },
    registry: {
      tagged: async () => world.pushed?.digest,
      labels: async () => world.pushed?.labels ?? {},
      image: async (reference: string) => ({
        ...{ repository: 'r/shop', digest: reference.split('@')[1], platform: 'linux/amd64', user: '1000' },
      }),
    },
    // The project has no keys.
    evidence: { signer: async () => undefined },
    builder: {
      tree: async () => ({ ...(uncommitted ? {} : { commit }), changes }),
      build: async (_version: string, source: BuildSource, labels: Readonly<Record<string, string>>) => {
        events.push('build');
        sources.push(source);
        labelled = labels;
        meanwhile?.(world);
      },
      push: async () => {
        events.push('push');
        if (faster) world.recorded = [faster];
        return { repository: 'r/shop', digest: digestOf('a'), platform: 'linux/amd64', user: '1000' };
      },
      restoreTag: async ({ digest }: Release) => {
        if (readOnly) throw new LockageError('405 Method Not Allowed');
        events.push(`tag ${digest.slice(7, 8)}`);
      },
    },
  } as unknown as Context;
  return { context, events, sources, world, labels: () => labelled };
}

const recordedBy = (builder: string, digest: Digest): Release => ({
  ...{ version: '1.4.0', repository: 'r/shop', digest, platform: 'linux/amd64', commit, builder },
  createdAt: '2026-01-01T00:00:00.000Z',
});

test('is built from the commit, labelled with what it is made of, pushed and recorded', async () => {
  const { context, events, sources, world, labels } = open({});
  const result = await release(context, { version: '1.4.0' });
  expect([events, sources]).toEqual([['build', 'push'], [{ commit }]]);
  expect(labels()).toEqual(buildLabels({ ...made, builder: 'alice@desk' }));
  const expected = { ...recordedBy('alice@desk', digestOf('a')), createdAt: '1970-01-01T00:00:00.000Z', user: '1000' };
  expect([result, world.recorded]).toEqual([{ outcome: 'released', release: expected }, [expected]]);
});

test('where nothing was ever committed is built from the folder, which is told and recorded, and is never the same again', async () => {
  const { context, events, sources, world } = open({ uncommitted: true });
  const { release: first } = await release(context, { version: '1.4.0' });
  expect([sources, first.dirty, 'commit' in first]).toEqual([['folder'], true, false]);
  expect([events[0], world.recorded]).toEqual([expect.stringContaining('nothing is committed here'), [first]]);
  await expect(release(context, { version: '1.4.0' })).rejects.toThrow('exists, and was made of something else');
});

test('with uncommitted changes is built from the folder, only when that is said, and says so', async () => {
  const { context, sources } = open({ changes: [' M a.txt'] });
  await expect(release(context, { version: '1.4.0' })).rejects.toThrow('there are uncommitted changes');
  const result = await release(context, { version: '1.4.0', allowDirty: true });
  expect([sources, result.release.dirty]).toEqual([['folder'], true]);
});

test('of a tree with changes is never the same as what is recorded', async () => {
  const { context, events } = open({ changes: [' M a.txt'], recorded: [recordedBy('bob@desk', digestOf('b'))] });
  const dirty = release(context, { version: '1.4.0', allowDirty: true });
  await expect(dirty).rejects.toThrow('release 1.4.0 exists, and was made of something else');
  expect(events).toEqual([]);
});

test('that was pushed and not recorded is recorded, as built by whoever built it', async () => {
  const labels = buildLabels({ ...made, builder: 'bob@desk' });
  const { context, events, world } = open({ pushed: { digest: digestOf('b'), labels } });
  const { outcome, release: result } = await release(context, { version: '1.4.0' });
  expect(events).toEqual(['r/shop:1.4.0 was pushed by bob@desk and not recorded: it is recorded now']);
  expect(outcome).toBe('released');
  expect(result).toMatchObject({ digest: digestOf('b'), commit, builder: 'bob@desk' });
  expect(result).not.toHaveProperty('adopted');
  expect(world.recorded).toEqual([result]);
});

test.each([
  ['without labels', {}],
  ['of another commit', buildLabels({ ...made, commit: 'd'.repeat(40), builder: 'bob@desk' })],
  ['of a tree with changes', buildLabels({ ...made, dirty: true, builder: 'bob@desk' })],
])('is refused where its tag is an image %s', async (_what, labels) => {
  const { context, events, world } = open({ pushed: { digest: digestOf('b'), labels } });
  await expect(release(context, { version: '1.4.0' })).rejects.toThrow('is not a recorded release');
  expect([events, world.recorded]).toEqual([[], []]);
});

test('does not push over what somebody else released during the build', async () => {
  const other = recordedBy('bob@desk', digestOf('b'));
  const { context, events } = open({ meanwhile: (world) => void (world.recorded = [other]) });
  expect(await release(context, { version: '1.4.0' })).toEqual({ outcome: 'unchanged', release: other });
  expect(events).toEqual(['build']);
});

test('does not push over a foreign tag that came during the build', async () => {
  const foreign = { digest: digestOf('b'), labels: {} };
  const { context, events } = open({ meanwhile: (world) => void (world.pushed = foreign) });
  await expect(release(context, { version: '1.4.0' })).rejects.toThrow('is not a recorded release');
  expect(events).toEqual(['build']);
});

describe('whose version somebody else records during the push', () => {
  const theirs = recordedBy('bob@desk', digestOf('b'));
  const tried = async (setting: Setting) => {
    const { context, events, world } = open(setting);
    await expect(release(context, { version: '1.4.0' })).rejects.toThrow('exists, and was made of something else');
    expect(world.recorded).toEqual([setting.faster]);
    return events.slice(events.indexOf('push') + 1);
  };

  test.each([
    ['another commit', { ...theirs, commit: 'd'.repeat(40) }],
    ['the same commit', theirs],
    ['a tree with changes', { ...theirs, dirty: true }],
  ])('of %s is refused, and gives them their tag back', async (_what, faster) => {
    expect(await tried({ faster })).toEqual([
      'tag b',
      'r/shop:1.4.0 leads again to what bob@desk has released meanwhile',
    ]);
  });

  test.each([
    ['in another repository', { ...theirs, repository: 'r/other' }],
    ['of an image that was made elsewhere', { ...theirs, adopted: true }],
  ])('%s is refused, and touches no tag', async (_what, faster) => {
    expect(await tried({ faster })).toEqual([]);
  });

  test('is refused, and says so where the tag cannot be given back', async () => {
    expect(await tried({ faster: theirs, readOnly: true })).toEqual([
      'r/shop:1.4.0 leads to what was pushed here, and was not recorded: 405 Method Not Allowed',
    ]);
  });
});

test('keeps another version that was recorded during the build', async () => {
  const other = { ...recordedBy('bob@desk', digestOf('b')), version: '1.5.0' };
  const { context, world } = open({ meanwhile: (now) => void (now.recorded = [other]) });
  await release(context, { version: '1.4.0' });
  expect(world.recorded.map(({ version }) => version)).toEqual(['1.5.0', '1.4.0']);
});
