import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RecordsAdapter } from '../../infra/adapters/records.ts';
import { providerContext } from '../../infra/context/session.ts';
import { PulumiStacks } from '../../infra/pulumi/stacks.ts';
import { readStack } from '../../infra/pulumi/state.ts';
import { basisOf } from '../../infra/resources/basis.ts';
import { Releases } from '../../infra/resources/classes.ts';
import { RecordChangedError } from '../../pipelines/errors.ts';
import type { Release } from '../../pipelines/model/release.ts';
import { sessionIn } from '../support/context-fixture.ts';

let base: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'lockage-records-'));
  await mkdir(join(base, 'state'));
});

afterAll(() => rm(base, { recursive: true, force: true }));

function release(version: string): Release {
  const image = {
    repository: 'r/shop',
    digest: `sha256:${version.slice(0, 1).repeat(64)}`,
    platform: 'linux/amd64',
  } as const;
  return { version, ...image, builder: 'alice@desk', createdAt: '2026-01-01T00:00:00.000Z' };
}

function open() {
  const settings = { backend: `file://${join(base, 'state')}`, passphrase: 'canary', folder: join(base, 'pulumi') };
  const session = sessionIn(base);
  const stacks = new PulumiStacks(settings, 'shop');
  return { settings, session, stacks, records: new RecordsAdapter(settings, 'shop', session, async () => stacks) };
}

test('a list that was made from another one than is stored is refused by the provider itself', async () => {
  const { settings, session, stacks, records } = open();
  await records.addRelease(release('1.0.0'));
  const [stored] = (await readStack(settings, 'shop', 'releases'))?.resources.slice(-1) ?? [];
  expect(Object.keys(stored?.inputs ?? {})).toEqual(['content']);

  const write = (basis: string) => {
    const program = async () => void new Releases({ app: 'shop', releases: [release('2.0.0')] }, basis);
    return stacks.up('releases', program, providerContext(session, false), { message: 'record releases' });
  };
  await expect(write(basisOf(undefined))).rejects.toThrow(RecordChangedError);
  await expect(write(basisOf({ content: 'another' }))).rejects.toThrow(RecordChangedError);
  expect(await records.releases()).toEqual([release('1.0.0')]);

  await records.addRelease(release('2.0.0'));
  expect(await records.addRelease(release('1.0.0'))).toEqual(release('1.0.0'));
  expect(await records.releases()).toEqual([release('1.0.0'), release('2.0.0')]);
});
