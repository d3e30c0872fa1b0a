import { describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import { ownedKey } from '../model/evidence/keys.ts';
import { environment, host, release, role } from '../model/values.ts';
import { MemoryWorld } from './memory-world.ts';
import { errorOf, onHosts } from './situations.ts';

const ci = ownedKey('ci', { signs: ['provenance', 'release', 'verification'] });
const anna = ownedKey('anna', { signs: ['approval'], environments: ['prod'] });
const toProd = { environment: 'prod', version: '1.0.0' };
const wanted: Partial<Environment> = {
  evidence: ['provenance', 'release', 'verification/qa'],
  approvals: { count: 1, not: [], within: 3_600_000 },
};

const qa = environment({ name: 'qa', hosts: [host('qa-1')], roles: [role({ hosts: ['qa-1'] })] });

/** 1.0.0 was signed, ran in qa and is approved for prod: nothing keeps it out but what the thief does next. */
async function approved(): Promise<{ world: MemoryWorld; recorded: Release }> {
  const world = new MemoryWorld([qa, onHosts({ after: ['qa'], ...wanted })]);
  world.keys = [ci.key, anna.key];
  world.signer = ci.signer;
  await world.perform('release', { version: '1.0.0' });
  await world.perform('promote', { environment: 'qa', version: '1.0.0' });
  world.signer = anna.signer;
  await world.perform('approve', { ...toProd, decision: 'approved' });
  world.signer = ci.signer;
  const [recorded] = world.releases;
  if (!recorded) throw new Error('nothing was released');
  return { world, recorded };
}

async function refusal(world: MemoryWorld): Promise<string> {
  world.changes = [];
  const error = await errorOf(world, 'promote', toProd);
  expect(world.changes).toEqual([]);
  return error instanceof LockageError ? [error.message, ...error.details].join(' | ') : 'no refusal';
}

/** Whoever writes the state and pushes to the registry can have every name lead to an image of their own. */
describe('a thief who writes the state, with the login of the registry', () => {
  test('has to change something: what was signed and approved comes in', async () => {
    const { world } = await approved();
    await world.perform('promote', toProd);
  });

  test('cannot record another image under the name of a release', async () => {
    const { world, recorded } = await approved();
    const evil = release('6.6.6').digest;
    world.releases = [{ ...recorded, digest: evil }];
    world.evidence.set(evil, world.evidence.get(recorded.digest) ?? []);
    const said = await refusal(world);
    expect(said).toContain('one is about another image');
    expect(said).toContain('0 approvals');
  });

  test('cannot record another commit, or another place in the order of releases', async () => {
    const { world, recorded } = await approved();
    world.releases = [{ ...recorded, commit: 'e'.repeat(40) }];
    expect(await refusal(world)).toContain('it is not of the commit');
    world.releases = [{ ...recorded, sequence: 99 }];
    expect(await refusal(world)).toContain('it has the sequence number 1, and 99 is recorded');
  });

  test('cannot call an image built elsewhere one of the project', async () => {
    const { world, recorded } = await approved();
    const evil = release('6.6.6').digest;
    world.releases = [{ ...recorded, digest: evil, adopted: true }];
    expect(await refusal(world)).toMatch(/provenance.*release/s);
  });

  test('who takes all evidence away lets nothing in', async () => {
    const { world } = await approved();
    world.evidence.clear();
    expect(await refusal(world)).toMatch(/0 approvals/);
  });
});
