import { describe, expect, test } from 'vitest';
import type { Drift, HostDrift } from '../../../pipelines/inspection/drift.ts';
import { containerSpecs } from '../../../pipelines/model/container-spec.ts';
import { healingNotes, planHealing, reportsWithout } from '../../../pipelines/planning/healing.ts';
import { environment, host, release, role } from '../model/values.ts';

const prod = environment({
  hosts: [host('prod-1'), host('prod-2')],
  roles: [role({ hosts: ['prod-1', 'prod-2'] })],
  accessories: [{ name: 'db', host: 'prod-1', image: 'postgres:17', env: {}, secrets: [], volumes: {}, memory: 1 }],
});
const specs = containerSpecs({ app: 'shop', environment: prod, release: release('1.0.0'), versions: {} });
const containers = specs.map((spec) => ({ host: host(spec.host), spec }));
const web = specs[0]?.name ?? '';

const drift = (what: string, member: string, rest: Partial<Drift> = {}): Drift => ({
  ...{ what, member, expected: 'as recorded', actual: 'otherwise' },
  ...rest,
});
const on = (name: string, ...found: Drift[]): HostDrift => ({ host: host(name), drift: found });
const healingOf = (...hosts: HostDrift[]) =>
  planHealing({ app: 'shop', environment: prod, record: { containers } }, hosts);
const unknown = { expected: 'none of that name' };

describe('what drifted', () => {
  test.each<[string, Drift, string]>([
    ['a container that is recorded is replaced', drift(web, 'HostConfig.Memory'), 'replace'],
    ['an edge is made again', drift('shop-prod-edge', 'HostConfig.Memory'), 'renew'],
    ['a guard comes back with its edge', drift('shop-prod-edge', 'guard'), 'renew'],
    ['routes are set again', drift('shop-prod-edge', 'routes'), 'switch'],
    ['an accessory is made again', drift('shop-prod-db', 'files'), 'renew'],
    ['a network that is missing is made again', drift('shop-prod', 'network', { actual: 'missing' }), 'renew'],
    ['a port that does not answer gets its edge again', drift('shop-prod-edge', 'port'), 'renew'],
    [
      'a container of a release that nobody recorded goes',
      drift('twin', 'container', { ...unknown, actual: 'release, running' }),
      'remove',
    ],
    [
      'a migration that has ended goes, too',
      drift('shop-prod-migration-1234abcd', 'container', { ...unknown, actual: 'release, exited' }),
      'remove',
    ],
    [
      'what a killed command left beside an edge goes with it',
      drift('shop-prod-edge.old', 'container', { ...unknown, actual: 'edge, exited' }),
      'renew',
    ],
  ])('%s', (_, found, by) => {
    expect(healingOf(on('prod-1', found))).toMatchObject({ treated: [{ by, what: found.what }], left: [] });
  });

  test.each<[string, Drift, string]>([
    ['a stranger stays', drift('theirs', 'network'), 'docker network disconnect shop-prod theirs'],
    [
      'an edge of nobody stays',
      drift('other', 'container', { ...unknown, actual: 'edge, running' }),
      'docker rm --force other',
    ],
    [
      'a migration at work stays',
      drift('shop-prod-migration-1234abcd', 'container', { ...unknown, actual: 'release, running' }),
      'wait until it has ended, or `docker stop shop-prod-migration-1234abcd` on prod-1',
    ],
    ["somebody else's network stays", drift('shop-prod', 'labels'), 'Find out on prod-1 who made shop-prod'],
    ['a volume that a container left stays', drift('1a2b3c', 'volume'), 'lockage prune prod'],
    ['what hosts know more is adopted', drift('shop-prod-edge', 'fence'), 'lockage adopt prod'],
    ['a container of another host stays', drift(specs[1]?.name ?? '', 'network'), 'docker network disconnect'],
  ])('%s, and what helps is said', (_, found, remedy) => {
    const healing = healingOf(on('prod-1', found));
    expect(healing).toMatchObject({ treated: [], left: [{ remedy: expect.stringContaining(remedy) }] });
    expect(healingNotes(healing)).toEqual([expect.stringContaining(`prod-1: ${found.what} stays`)]);
  });

  test('secrets that a restart took from memory are those of their container, or accessory', () => {
    const lost = (volume: string) => drift('prod-1', 'host', { actual: `${volume} is empty since a restart` });
    expect(healingOf(on('prod-1', lost(`${web}.secrets`), lost('shop-prod-db.1a2b.secrets'))).treated).toMatchObject([
      { by: 'replace', what: web },
      { by: 'renew', what: 'shop-prod-db' },
    ]);
  });

  test('a container that somebody put in the place of a recorded one that rests stays', () => {
    const foreign = drift(web, 'Config.Labels.lockage.app', { actual: 'null' });
    expect(healingOf(on('prod-1', foreign, drift(web, 'Config.Env.A')))).toMatchObject({
      treated: [],
      left: [{ remedy: expect.stringContaining(`docker rm --force ${web}`) }, {}],
    });
  });

  test('a port does not answer because of something else on its host: its edge is left alone', () => {
    const port = drift('shop-prod-edge', 'port');
    const both = healingOf(on('prod-1', drift(web, 'state'), port), on('prod-2', port));
    expect(both.hidden).toEqual(['prod-2']);
    expect(both.treated.map(({ host: { name }, by }) => `${name} ${by}`)).toEqual([
      'prod-1 replace',
      'prod-1 switch',
      'prod-2 renew',
    ]);
  });

  test('counts as not there, on its own host only', () => {
    const report = (name: string) => ({
      ...{ host: host(name), running: new Set([web, 'other']), present: new Set([web]), foreign: new Set<string>() },
      ...{ edge: true, warnings: [] },
    });
    const healing = healingOf(on('prod-1', drift(web, 'files')));
    expect(reportsWithout([report('prod-1'), report('prod-2')], healing)).toMatchObject([
      { running: new Set(['other']), present: new Set() },
      { running: new Set([web, 'other']), present: new Set([web]) },
    ]);
  });
});
