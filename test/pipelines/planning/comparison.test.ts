import { describe, expect, test } from 'vitest';
import type { Revision } from '../../../pipelines/model/revision.ts';
import { compareSides, parseSide, sideOf } from '../../../pipelines/planning/comparison.ts';
import { environment, failed, record, refusal, release, revision, spec } from '../model/values.ts';

const project = { app: 'shop', environments: [environment(), environment({ name: 'uat' })] } as never;
const ledger = record([revision(1, '1.0.0'), revision(2, '2.0.0'), failed(3, '3.0.0'), revision(4, '1.0.0')]);
const numberOf = (text: string) => sideOf(parseSide(project, text), { releases: [], record: ledger }).revision?.number;

describe('a side', () => {
  test.each([
    ['prod', 4],
    ['prod@running', 4],
    ['prod@2', 2],
    ['prod@1.0.0', 4],
    ['prod@2.0.0', 2],
  ])('%s is revision %i', (text, number) => {
    expect(numberOf(text)).toBe(number);
  });

  test('is a release, where no environment is named', () => {
    const side = sideOf(parseSide(project, '2.0.0'), { releases: [release('1.0.0'), release('2.0.0')] });
    expect([side.release.version, side.revision]).toEqual(['2.0.0', undefined]);
  });

  test.each([
    ['prid', /^no environment "prid" in shop, did you mean prod/],
    ['prod@', /^"prod@" names no revision \| Write a release as 1.4.0/],
    ['prod@0', /names no revision/],
    ['prod@2@1', /^"prod@2@1" names no revision/],
    ['prod@9', /^prod has no revision 9 \| `lockage history prod`/],
    ['prod@3.0.0', /^prod never ran 3.0.0/],
    ['9.9.9', /^there is no release 9.9.9 \| `lockage releases`/],
  ])('%s is refused', (text, expected) => {
    const find = () => {
      const name = parseSide(project, text);
      return sideOf(name, name.environment === undefined ? { releases: [] } : { releases: [], record: ledger });
    };
    expect(refusal(find)).toMatch(expected);
  });

  test('of an environment in which nothing runs is refused', () => {
    const empty = () => sideOf(parseSide(project, 'uat'), { releases: [], record: record([]) });
    expect(refusal(empty)).toMatch(/^uat runs nothing yet/);
  });
});

describe('two sides', () => {
  const side = (text: string, ran: Revision) =>
    sideOf(parseSide(project, text), { releases: [], record: record([ran]) });
  const web = (changes = {}, on = 'prod-1') => spec('web-1.0.0', on, changes);

  test('that run the same differ in nothing, wherever they are called from', () => {
    const env = (name: string) => ({ LOCKAGE_ENVIRONMENT: name, LOCKAGE_VERSION: '1.0.0', LOCKAGE_HOST: name });
    const of = (name: string) => side(name, revision(1, '1.0.0', { containers: [web({ env: env(name) })] }));
    expect(compareSides(of('prod'), of('uat'))).toEqual([]);
  });

  test('differ in release, settings and places; of a secret it is said that it does', () => {
    const before = [web({ env: { LOG: 'info' }, secrets: { TOKEN: 'a' } }), web({}, 'prod-2')];
    const after = [
      web({ env: { LOG: 'debug' }, secrets: { TOKEN: 'b' } }),
      web({ name: 'web-1.0.0-2', env: { LOG: 'debug' } }),
      spec('mailer-1.0.0', 'prod-1', { replicas: 3 }),
    ];
    const a = side('prod', revision(1, '1.0.0', { containers: before, machineImage: 'sha256:old' }));
    const b = side('prod', revision(2, '2.0.0', { containers: after, machineImage: 'sha256:new' }));
    expect(compareSides(a, b)).toEqual([
      { what: 'version', change: 'changed', a: '1.0.0', b: '2.0.0' },
      { what: 'image', change: 'changed', a: release('1.0.0').digest, b: release('2.0.0').digest },
      { what: 'machine image', change: 'changed', a: 'sha256:old', b: 'sha256:new' },
      { what: 'containers', role: 'web', change: 'changed', a: '1 on prod-1, 1 on prod-2', b: '2 on prod-1' },
      { what: 'containers', role: 'mailer', change: 'new', b: '3 on prod-1' },
      { what: 'env.LOG', role: 'web', change: 'changed', a: '"info"', b: '"debug"' },
      { what: 'secrets.TOKEN', role: 'web', change: 'changed' },
      { what: 'role', role: 'mailer', change: 'new' },
    ]);
  });

  test('one of which runs nowhere differ in their release alone', () => {
    const a = side('prod', revision(1, '1.0.0'));
    const b = sideOf(parseSide(project, '2.0.0'), { releases: [release('2.0.0')] });
    expect(compareSides(a, b).map(({ what }) => what)).toEqual(['version', 'image']);
  });
});
