import { expect, test } from 'vitest';
import type { Plan } from '../../../pipelines/model/plan.ts';
import { planReproduction } from '../../../pipelines/planning/plan-reproduction.ts';
import { reproductionDifferences } from '../../../pipelines/planning/reproduction-differences.ts';
import { sourceOf } from '../../../scripts/cli/reproduction-source.ts';
import { reproductionJson, reproductionLines, type Reproduced } from '../../../scripts/cli/views/reproduction.ts';
import { recordedWith, testImage } from '../../infra/registry/values.ts';
import { host, release, revision, spec } from '../../pipelines/model/values.ts';

const recorded = {
  ...recordedWith(testImage('a'), testImage('b')),
  containers: [spec('web-1.4.0', 'prod-1', { secrets: { TOKEN: '' } })],
};
const taken = new Map([[80, 'container shop-dev-edge']]);
const reproduction = planReproduction({
  ...{ of: recorded, name: 'prod-here', host: { ...host('here'), address: '127.0.0.1' }, scale: {} },
  ...{ engine: { platform: 'linux/amd64', emulates: [], taken }, secrets: { TOKEN: 'generated' as const } },
});
const plan: Plan = {
  ...{ kind: 'promote', environment: 'prod-here', number: 1, release: release('1.4.0'), containers: [] },
  ...{ differences: [], migration: false, notes: [] },
};
const shown = (result: Reproduced['result']): Reproduced => ({
  reproduction,
  folder: '/srv/shop/.lockage/reproductions/prod-here',
  differences: reproductionDifferences(reproduction, { original: [], here: { engine: '20.10.24' }, taken }),
  result,
  moved: 99_000_000,
});

test('the end says what runs, where it is visited, where its secrets are, and what differs', () => {
  const result = {
    outcome: 'promoted' as const,
    plan,
    revision: revision(1, '1.4.0'),
    bytesMoved: { here: 2_000_000 },
  };
  const lines = reproductionLines(shown(result));
  expect(lines[0]).toMatch(/^prod-here is revision 12 of prod: 1\.4\.0 \([0-9a-f]{12}\); 4\.0 s, 99 MB moved$/);
  expect(reproductionJson(shown(result))).toMatchObject({ bytesMoved: { here: 99_000_000 } });
  expect(lines.slice(1, 3)).toEqual([
    '  web  http://127.0.0.1:8080/',
    '  values of its secrets: /srv/shop/.lockage/reproductions/prod-here/secrets',
  ]);
  expect(lines[3]).toMatch(/^ +what +prod +prod-here +why$/);
  expect(lines.join('\n')).toMatch(/~ {2}port +80 +80 +8080 +container shop-dev-edge has it/);
});

test('a plan says what would run, and JSON has all of it', () => {
  expect(reproductionLines(shown({ outcome: 'planned', plan }))[0]).toBe(
    'prod-here would be revision 12 of prod, 1.4.0',
  );
  expect(reproductionJson(shown({ outcome: 'unchanged', plan }))).toMatchObject({
    outcome: 'unchanged',
    environment: 'prod-here',
    original: { app: 'shop', environment: 'prod', revision: 12, version: '1.4.0' },
    urls: [{ role: 'web', url: 'http://127.0.0.1:8080/' }],
    ports: { 80: 8080 },
    secrets: [{ name: 'TOKEN', from: 'generated', file: '/srv/shop/.lockage/reproductions/prod-here/secrets/TOKEN' }],
    differences: expect.arrayContaining([expect.objectContaining({ what: 'hosts', why: expect.any(String) })]),
  });
});

test.each<[string, string | undefined, string | undefined, RegExp]>([
  ['nothing', undefined, undefined, /^which environment\?$/],
  ['an environment and a bundle', 'prod', 'prod.lockage', /not both: a bundle is of one revision$/],
  [
    'a bundle that is not there',
    undefined,
    '/nowhere/prod.lockage',
    /^\/nowhere\/prod\.lockage is no bundle: there is no/,
  ],
  ['what names no revision', 'prod@latest', undefined, /^"prod@latest" names no revision$/],
])('%s is refused', async (_name, text, bundle, message) => {
  await expect(sourceOf(text, bundle, new AbortController().signal)).rejects.toThrow(message);
});
