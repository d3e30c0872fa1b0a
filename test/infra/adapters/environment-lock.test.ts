import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EnvironmentLocks, lockHosts } from '../../../infra/adapters/environment-lock.ts';
import type { Progress } from '../../../infra/context/provider-context.ts';
import { Connections } from '../../../infra/docker/connections.ts';
import { LockKeeper } from '../../../infra/hosts/lock-keeper.ts';
import type { EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import { environment, host, hostWith, placed, record } from '../../pipelines/model/values.ts';
import { sessionIn } from '../../support/context-fixture.ts';
import { VolumeEngine } from '../../support/volume-engine.ts';

let folder: string;
let engine: VolumeEngine;
let cancelled: string[];
let shown: Progress[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-locks-'));
  engine = await VolumeEngine.start();
  [cancelled, shown] = [[], []];
});
afterEach(() => {
  engine.close();
  rmSync(folder, { recursive: true, force: true });
});

const prod = () => environment({ hosts: [hostWith('prod-1', { url: `unix://${engine.socket}` })] });

/** What the host's edge answers to a command of its script. */
type EdgeAnswer = (command: string) => { code: number; stderr: string };

/** Connections to hosts with an edge. */
class WithEdge extends Connections {
  readonly #edge: EdgeAnswer;

  constructor(edge: EdgeAnswer) {
    super({ stateDir: folder });
    this.#edge = edge;
  }

  override async engine(...target: Parameters<Connections['engine']>) {
    const exec = async (_name: string, argv: readonly string[]) => ({ stdout: '', ...this.#edge(argv[2] ?? '') });
    return Object.assign(await super.engine(...target), { exec });
  }
}

function locksOf(actor: string, edge?: EdgeAnswer): EnvironmentLocks {
  const session = sessionIn(folder, {
    ...(edge ? { connections: new WithEdge(edge) } : {}),
    progress: (event) => void shown.push(event),
  });
  const keeper = new LockKeeper({ app: 'shop', actor, connections: session.connections, lease: 90_000 });
  const records = { environment: async () => record([]), seen: async () => record([]) };
  const cancelLocks = async (names: readonly string[]) => void cancelled.push(...names);
  return new EnvironmentLocks({ app: 'shop', session, keeper, records, stacks: async () => ({ cancelLocks }) });
}

describe('who takes over', () => {
  test('says whose lock it was, and lifts Pulumi’s locks of the environment’s stacks alone', async () => {
    await locksOf('anna').take(prod(), 'promote 1.1.0');
    engine.pass(100);
    await locksOf('bert').take(prod(), 'promote 1.2.0');
    expect(shown.map(({ step, detail }) => [step, detail])).toEqual([
      ['take over', 'the lock of anna (promote 1.1.0), whose lease is over'],
    ]);
    expect(cancelled.toSorted()).toEqual(['prod', 'prod-foundation', 'prod-machines']);
  });

  test('of nobody lifts nothing', async () => {
    await locksOf('anna').take(prod(), 'promote 1.1.0');
    expect([cancelled, shown]).toEqual([[], []]);
  });
});

describe('who takes over from a holder who acts', () => {
  const answers = (claimed: { code: number; stderr: string }[]) => (command: string) =>
    command === 'claim' ? (claimed.shift() ?? { code: 0, stderr: '' }) : { code: 0, stderr: '' };
  const refused = () => ({ code: 6, stderr: 'revision 8 of operation b2 holds the fence' });
  const heldBy = async () => (await locksOf('carl').find(prod()))?.holder.actor;

  beforeEach(async () => {
    await locksOf('anna').take(prod(), 'promote 1.1.0');
    engine.pass(100);
  });

  test('claims the hosts once more when they were claimed meanwhile', async () => {
    await locksOf('bert', answers([refused(), refused()])).take(prod(), 'promote 1.2.0');
    expect(await heldBy()).toBe('bert');
  });

  test('is told to try later where the holder is always faster, and lifts nothing', async () => {
    const bert = locksOf('bert', answers([refused(), refused(), refused()]));
    const locked = { name: 'LockedError', message: expect.stringContaining('prod cannot be taken over') };
    await expect(bert.take(prod(), 'promote 1.2.0')).rejects.toMatchObject(locked);
    expect(cancelled).toEqual([]);
  });

  test('is not kept by a host that cannot note it, and so cannot switch either', async () => {
    const full = () => ({ code: 8, stderr: 'nothing can be written' });
    await locksOf('bert', answers([full(), full(), full()])).take(prod(), 'promote 1.2.0');
    expect(await heldBy()).toBe('bert');
  });
});

test('a lock is lifted only while that holder has it', async () => {
  const anna = await locksOf('anna').take(prod(), 'promote 1.1.0');
  const found = await locksOf('carl').find(prod());
  if (!found) throw new Error('nothing is locked');
  await anna();
  await locksOf('bert').take(prod(), 'promote 1.2.0');
  expect(await locksOf('carl').lift(prod(), found.holder)).toBe(false);
  const now = await locksOf('carl').find(prod());
  expect(now?.holder.actor).toBe('bert');
  expect(now && (await locksOf('carl').lift(prod(), now.holder))).toBe(true);
  expect(await locksOf('carl').find(prod())).toBeUndefined();
  expect(cancelled).toContain('prod');
});

const cordon = { host: 'left-1', since: '2026-01-01T00:00:00Z', actor: 'anna', reason: 'dead' };
const cordonedLeft = record([], [placed('old', 'left-1')], { cordons: [cordon] });

test.each<[string, EnvironmentRecord, string[]]>([
  ['all that are configured', record([]), ['prod-1', 'prod-2']],
  ['those that only the record knows', record([], [placed('old', 'left-1')]), ['left-1', 'prod-1', 'prod-2']],
  ['no host that is cordoned', cordonedLeft, ['prod-1', 'prod-2']],
  ['each once', record([], [placed('web', 'prod-1')]), ['prod-1', 'prod-2']],
])('a lock lies on %s', (_which, recorded, names) => {
  const configured = environment({ hosts: [host('prod-1'), host('prod-2')] });
  expect(
    lockHosts(configured, recorded)
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(names);
});
