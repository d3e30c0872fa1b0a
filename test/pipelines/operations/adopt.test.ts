import { describe, expect, test } from 'vitest';
import { BrokenError, LockageError, LockedError, RolledBackError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import type { AdoptRequest } from '../../../pipelines/operations/adopt.ts';
import { record, release, role } from '../model/values.ts';
import type { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, onMachines, onSwarm, worldOf } from './situations.ts';

const environment = 'prod';
const adopt = { environment };

/** A world whose state was lost after these releases came in, and what was recorded before. */
async function lost(prod: Environment, ...versions: readonly string[]) {
  const world = await worldOf(prod, ...versions);
  const { record: before } = world.place();
  world.place().restore(record([]));
  return { world, before };
}

/** What hosts have and who answers, without what is recorded. */
const hostsOf = (world: MemoryWorld) => [world.place().present().toSorted(), world.place().serves()];

/** A record with its containers in an order of their own: a state lists them in none. */
function sorted(found: EnvironmentRecord): EnvironmentRecord {
  const key = ({ host, spec }: EnvironmentRecord['containers'][number]) => `${host.name}/${spec.name}`;
  const order = (a: string, b: string) => (a < b ? -1 : 1);
  // The mark of a record is that of its state, and the log goes on.
  const { audit: _, ...rest } = found;
  return { ...rest, basis: '', containers: found.containers.toSorted((a, b) => order(key(a), key(b))) };
}

async function expectRefused(world: MemoryWorld, message: string, request: AdoptRequest = adopt): Promise<void> {
  const before = world.state();
  const error = await errorOf(world, 'adopt', request);
  expect([error?.constructor, error?.message]).toEqual([LockageError, message]);
  expect(world.state()).toBe(before);
  expect([...world.place().locks.keys()]).toEqual([]);
}

describe('a state that was lost is as it was', () => {
  test.each<[string, Environment]>([
    ['on hosts', onHosts()],
    ['on a swarm', onSwarm()],
  ])('%s', async (_where, prod) => {
    const { world, before } = await lost(prod, '1.0.0', '2.0.0');
    const hosts = hostsOf(world);
    const { outcome, adoption } = await world.perform('adopt', adopt);
    expect([outcome, adoption.revision, adoption.current?.release.version]).toEqual(['adopted', 2, '2.0.0']);
    expect(adoption).toMatchObject({ missing: [], unknown: [], dropped: [], lostSecrets: [], releases: [] });
    expect(sorted(world.place().record)).toEqual(sorted(before));
    expect(hostsOf(world)).toEqual(hosts);
    expect(world.calls.filter((each) => world.changes.includes(each) || each.startsWith('terminal'))).toEqual([
      'terminal.confirm',
      'stacks.adopt',
    ]);
  });

  test('with its hold and its cordons', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('rollback', { environment, startedAt: 0 });
    await world.perform('cordon', { environment, host: 'prod-2' });
    const { record: before } = world.place();
    world.place().restore(record([]));
    // What is cordoned is dead, and was not told.
    world.place().silent.add('prod-2');
    await world.perform('adopt', adopt);
    expect(sorted(world.place().record)).toEqual(sorted(before));
    expect(before.ledger).toMatchObject({ hold: {}, cordons: [{ host: 'prod-2' }] });
  });

  test('with the releases of its revisions, once', async () => {
    const { world } = await lost(onHosts(), '1.0.0', '2.0.0', '1.0.0');
    world.releases = [release('3.0.0')];
    await world.perform('adopt', adopt);
    expect(world.releases.map(({ version }) => version)).toEqual(['3.0.0', '1.0.0', '2.0.0']);
  });

  test('and the next rollback and promotion work', async () => {
    const { world } = await lost(onHosts(), '1.0.0', '2.0.0');
    await world.perform('adopt', adopt);
    await world.perform('rollback', { environment, startedAt: 0 });
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
    await world.perform('resume', { environment });
    await world.perform('promote', { environment, version: '3.0.0' });
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
  });
});

describe('an older state', () => {
  /** The state of after 1.0.0 and 2.0.0; hosts have had 3.0.0 and 1.0.0 since, and know that. */
  async function older() {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    const { record: old } = world.place();
    await world.perform('promote', { environment, version: '3.0.0' });
    await world.perform('promote', { environment, version: '1.0.0' });
    const { record: newer } = world.place();
    world.place().restore(old);
    return { world, old, newer };
  }

  test('becomes what hosts know; what they no longer have is forgotten, and nothing of theirs removed', async () => {
    const { world, newer } = await older();
    const hosts = hostsOf(world);
    const { adoption } = await world.perform('adopt', adopt);
    expect(adoption.dropped.map(({ spec }) => spec.version)).toEqual(expect.arrayContaining(['2.0.0']));
    expect(adoption.taken).toHaveLength(newer.containers.length);
    expect(sorted(world.place().record)).toEqual(sorted(newer));
    expect(hostsOf(world)).toEqual(hosts);
  });

  test('that knows as much has nothing to adopt', async () => {
    const { world } = await older();
    await world.perform('adopt', adopt);
    await expectRefused(world, 'this state knows revision 4 of prod, and hosts know no later one: nothing to adopt');
  });
});

test('a container that is gone is not recorded, and one that the record does not know is left to the next promotion', async () => {
  const { world, before } = await lost(onHosts(), '1.0.0', '2.0.0');
  const { containers } = world.place().engine('prod-2');
  const [gone] = [...containers].find(([, { placed }]) => placed.spec.version === '2.0.0') ?? [''];
  const [some] = [...containers.values()];
  containers.delete(gone);
  if (some)
    containers.set('left', { placed: { ...some.placed, spec: { ...some.placed.spec, name: 'left' } }, running: true });
  const { adoption } = await world.perform('adopt', adopt);
  expect(adoption.missing.map(({ host, spec }) => [host.name, spec.name])).toEqual([['prod-2', gone]]);
  expect(adoption.unknown).toEqual([{ host: 'prod-2', name: 'left' }]);
  const left = before.containers.filter(({ spec }) => spec.name !== gone);
  expect(sorted(world.place().record).containers).toEqual(sorted({ ...before, containers: left }).containers);
  expect(world.place().present()).toContain('prod-2/left');
  await world.perform('promote', { environment, version: '2.0.0' });
  expect([world.place().serves(), world.place().present().includes('prod-2/left')]).toEqual([
    everywhere('2.0.0'),
    false,
  ]);
});

test('a container of that name with another specification is not taken for it', async () => {
  const { world } = await lost(onHosts(), '1.0.0');
  const { containers } = world.place().engine('prod-1');
  const [name = ''] = containers.keys();
  const found = containers.get(name);
  if (found)
    containers.set(name, { ...found, placed: { ...found.placed, spec: { ...found.placed.spec, version: '9' } } });
  const { adoption } = await world.perform('adopt', adopt);
  expect(adoption.missing.map(({ spec }) => spec.name)).toEqual([name]);
});

describe('secrets', () => {
  const secret = [role({ hosts: ['prod-1', 'prod-2'], secrets: ['TOKEN'] })];

  /** 1.0.0 came in with one value and 2.0.0 with the next; the first release's containers are gone. */
  async function rotated() {
    const world = await worldOf(onHosts({ roles: secret, standby: 0 }));
    for (const [version, value] of [
      ['1.0.0', 'v1'],
      ['2.0.0', 'v2'],
    ] as const) {
      world.versions = { TOKEN: value };
      await world.perform('promote', { environment, version });
    }
    const { record: before } = world.place();
    world.place().restore(record([]));
    return { world, before };
  }

  test('are recorded where their source still has the value, and others are named and never recorded as empty', async () => {
    const { world } = await rotated();
    const { adoption } = await world.perform('adopt', adopt);
    expect(adoption.lostSecrets).toEqual([{ name: 'TOKEN', version: 'v1', revisions: [1] }]);
    expect(world.place().record.secrets).toEqual([{ name: 'TOKEN', version: 'v2' }]);
  });

  test('that are lost refuse a rollback which makes containers with them, before anything changes', async () => {
    const { world } = await rotated();
    await world.perform('adopt', adopt);
    const before = world.state();
    const error = await errorOf(world, 'rollback', { environment, startedAt: 0 });
    expect([error?.constructor, error?.message]).toEqual([LockageError, 'not recorded: TOKEN v1']);
    expect([world.state(), world.changes]).toEqual([before, []]);
  });

  test('that an older state has are kept', async () => {
    const { world, before } = await rotated();
    world.place().restore({ ...record([]), secrets: [{ name: 'TOKEN', version: 'v1' }] });
    await world.perform('adopt', adopt);
    expect(world.place().record.secrets).toEqual(before.secrets);
  });

  test('whose sources cannot be read are named, and the rest is adopted', async () => {
    const { world } = await rotated();
    world.fail(
      'secrets.read',
      new LockageError('a secret cannot be read', { details: ['TOKEN  variable T is not set'] }),
    );
    const { adoption } = await world.perform('adopt', adopt);
    expect(adoption.lostSecrets.map(({ version }) => version).toSorted()).toEqual(['v1', 'v2']);
    expect(world.place().record.secrets).toEqual([]);
    expect(world.notes).toEqual(['a secret cannot be read; TOKEN  variable T is not set']);
  });
});

describe('is refused, and nothing is recorded, where', () => {
  test('a host in service does not answer', async () => {
    const { world } = await lost(onHosts(), '1.0.0');
    world.place().silent.add('prod-2');
    await expectRefused(world, '1 of 2 hosts of prod do not answer');
  });

  test('hosts have no copy', async () => {
    const { world } = await lost(onHosts(), '1.0.0');
    world.place().copies.clear();
    world.place().fence = { revision: 1, operation: 'x', recorded: 1 };
    await expectRefused(world, 'hosts of prod know revision 1, and none has a copy of the record');
  });

  test('hosts know nothing', async () =>
    expectRefused(await worldOf(onHosts()), 'hosts of prod know no revision: there is nothing to adopt'));

  test('hosts have different copies, until one is chosen', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    const { record: before } = world.place();
    await world.perform('drill', { environment, startedAt: 0 });
    world.place().restore(before);
    world.place().copyTo(['prod-2'], 'other');
    world.place().restore(record([]));
    await expectRefused(world, 'hosts of prod have different copies of revision 2');
    await world.perform('adopt', { environment, from: 'prod-2' });
    expect(sorted(world.place().record)).toEqual(sorted(before));
    expect(world.place().copies.get('prod-1')?.record.ledger.drill).toBeUndefined();
  });

  test('hosts are named otherwise than they were', async () => {
    const { world } = await lost(onHosts(), '1.0.0');
    const [one, two] = ['prod-1', 'prod-2'].map((name) => world.place().engine(name));
    if (one && two)
      [['prod-1', two] as const, ['prod-2', one] as const].map(([name, engine]) =>
        world.place().engines.set(name, engine),
      );
    await expectRefused(world, 'prod is configured with other hosts than its record has');
  });

  test('it ran on hosts and is configured as a swarm', async () => {
    const { world } = await lost(onHosts(), '1.0.0');
    const swarm = await worldOf(onSwarm());
    for (const [name, copy] of world.place().copies) swarm.place().copies.set(name, copy);
    await expectRefused(swarm, 'prod is configured with other hosts than its record has');
  });

  test('its own machines are not recorded', async () =>
    expectRefused(
      await worldOf(onMachines()),
      'machines of prod are not recorded here, so nobody can ask them what they know',
    ));

  test('a release is recorded that was made of something else', async () => {
    const { world } = await lost(onHosts(), '1.0.0');
    world.releases = [release('1.0.0', '7')];
    await expectRefused(world, 'release 1.0.0 exists, and was made of something else');
  });

  test('a host is to be left out that is not there', async () => {
    const { world } = await lost(onHosts(), '1.0.0');
    await expectRefused(world, 'prod has no host other', { environment, without: ['other'] });
  });

  test('the operator says no', async () => {
    const { world } = await lost(onHosts(), '1.0.0');
    world.fail('terminal.confirm', new LockageError('not confirmed'));
    await expectRefused(world, 'not confirmed');
  });

  test('hosts learn more while the operator looks at the plan', async () => {
    const { world, before } = await lost(onHosts(), '1.0.0');
    const { basis: _, ...recorded } = before;
    const more = {
      ...recorded,
      ledger: { ...before.ledger, hold: { since: '', actor: 'b', reason: '', version: '' } },
    };
    world.at('terminal.confirm', () => {
      for (const [name, copy] of world.place().copies) world.place().copies.set(name, { ...copy, record: more });
    });
    await expectRefused(world, 'prod was changed by somebody else meanwhile: nothing was recorded');
  });
});

test('a host that is not configured any more is asked as well, as long as it is in service', async () => {
  const { world } = await lost(onHosts(), '1.0.0');
  const alone = await worldOf(onHosts({ hosts: onHosts().hosts.slice(0, 1), roles: [role()] }));
  alone.place().become(world.place());
  const { adoption } = await alone.perform('adopt', adopt);
  expect(new Set(adoption.taken.map(({ host }) => host.name))).toEqual(new Set(['prod-1', 'prod-2']));
  alone.place().restore(record([]));
  alone.place().silent.add('prod-2');
  await expectRefused(alone, '1 of 2 hosts of prod do not answer');
});

test('a host that is dead is recorded as cordoned when it is left out', async () => {
  const { world, before } = await lost(onHosts(), '1.0.0');
  world.place().silent.add('prod-2');
  await world.perform('adopt', { environment, without: ['prod-2'] });
  const { ledger, containers } = world.place().record;
  expect(ledger).toMatchObject({
    revisions: before.ledger.revisions,
    cordons: [{ host: 'prod-2', actor: 'anna@desk' }],
  });
  expect(sorted({ ...before, containers }).containers).toEqual(sorted(before).containers);
  await world.perform('promote', { environment, version: '2.0.0' });
  expect(world.place().serves()).toEqual([...everywhere('2.0.0', ['prod-1']), ...everywhere('1.0.0', ['prod-2'])]);
});

test('a plan is shown and nothing done', async () => {
  const { world } = await lost(onHosts(), '1.0.0');
  const { outcome } = await world.perform('adopt', { environment, planOnly: true });
  expect([outcome, world.changes, world.calls.includes('hosts.lock')]).toEqual(['planned', [], false]);
  expect(world.adoptions).toHaveLength(1);
});

test('of two at once, the one without the lock has to wait, and has nothing to do then', async () => {
  const { world } = await lost(onHosts(), '1.0.0');
  const holder = { actor: 'ben@lap', machine: 'lap', pid: 7, since: '', purpose: 'adopt' };
  world.place().locks.set('prod-1', holder);
  expect(await errorOf(world, 'adopt', adopt)).toBeInstanceOf(LockedError);
  world.place().locks.delete('prod-1');
  world.at('hosts.lock', () => {
    const copy = world.place().copies.get('prod-1');
    if (copy) world.place().restore({ basis: 'ben', ...copy.record });
  });
  const error = await errorOf(world, 'adopt', adopt);
  expect(error?.message).toContain('nothing to adopt');
});

test('a record that could not be written says that nothing was touched', async () => {
  const { world } = await lost(onHosts(), '1.0.0');
  world.fail('stacks.adopt', new BrokenError('Pulumi could not change prod', { details: ['no space'] }));
  const error = await errorOf(world, 'adopt', adopt);
  expect(error).toBeInstanceOf(RolledBackError);
  expect(error).toMatchObject({
    message: 'the record of prod could not be written: Pulumi could not change prod',
    details: ['no space', 'what runs in prod was not touched'],
  });
});

test('what releases stand on is recorded before the ledger, so that a command that was cut short does it again', async () => {
  const { world } = await lost(onHosts(), '1.0.0');
  world.at('stacks.adoptFoundation', () => world.kill());
  await errorOf(world, 'adopt', adopt);
  world.calm();
  expect(await world.perform('adopt', adopt)).toMatchObject({ outcome: 'adopted' });
  expect(world.calls.indexOf('stacks.adoptFoundation')).toBeLessThan(world.calls.indexOf('stacks.adopt'));
  expect(world.calls.filter((call) => call === 'stacks.adoptFoundation')).toHaveLength(1);
});

describe('whatever fails, hosts are as they were, and the same command works again:', () => {
  const moments = async () => {
    const { world } = await lost(onHosts(), '1.0.0', '2.0.0');
    world.releases = [];
    await world.perform('adopt', adopt);
    return world.moments.filter((each) => !/^hosts\.(lock done|unlock)/.test(each));
  };

  test('each call', async () => {
    for (const [index, moment] of (await moments()).entries()) {
      const nth = (await moments()).slice(0, index + 1).filter((each) => each === moment).length;
      const { world, before } = await lost(onHosts(), '1.0.0', '2.0.0');
      world.releases = [];
      const hosts = hostsOf(world);
      world.fail(moment, new LockageError(`${moment} is not possible`), nth);
      const error = await errorOf(world, 'adopt', adopt);
      // What sources do not give is only not known, and what releases stand on is recorded later.
      if (!/^(secrets\.read|stacks\.adoptFoundation)/.test(moment)) expect(error).toBeInstanceOf(LockageError);
      // Edges that are recorded stay so for the next try.
      const isBegun = world.changes.length > 0 || world.calls.includes('stacks.adoptFoundation');
      if (!isBegun && error) expect([moment, error.constructor]).toEqual([moment, LockageError]);
      else if (error && !moment.endsWith(' done'))
        expect([moment, error?.constructor]).toEqual([moment, RolledBackError]);
      expect([hostsOf(world), [...world.place().locks.keys()]]).toEqual([hosts, []]);
      world.calm();
      if (world.place().record.ledger.revisions.length === 0) await world.perform('adopt', adopt);
      expect(sorted(world.place().record)).toEqual(sorted(before));
      expect(world.releases.map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
    }
  });
});
