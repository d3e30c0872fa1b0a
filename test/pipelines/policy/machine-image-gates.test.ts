import { describe, expect, test } from 'vitest';
import {
  imageNamed,
  imageText,
  newestImage,
  nextImageVersion,
  refuseBuilt,
  type MachineImage,
} from '../../../pipelines/model/machine-image.ts';
import { checkImageGates, refuseAccessories, servingOn } from '../../../pipelines/policy/machine-image-gates.ts';
import { environment, failed, record, refusal, revision } from '../model/values.ts';

const image = (version: string, kind: MachineImage['kind'] = 'lxc'): MachineImage => ({
  kind,
  version,
  digest: `sha256:${version.replaceAll('.', '').repeat(16)}`,
  builder: 'anna@desk',
  createdAt: '2026-01-01T00:00:00.000Z',
});
const images = [image('1.0.0'), image('1.10.0'), image('1.9.0')];
const ran = (version: string) => record([revision(1, '1.0.0', { machineImage: image(version).digest })]);

describe('an image of machines', () => {
  test('is found by its version, and others are named', () => {
    expect(imageNamed(images, 'lxc', '1.9.0')).toBe(images[2]);
    expect(refusal(() => imageNamed(images, 'lxc', '1.9.1'))).toMatch(
      /^there is no image 1\.9\.1 of lxc machines.*latest images: 1\.9\.0 \(190190190190\), .*vm-image build 1\.9\.1/,
    );
    expect(refusal(() => imageNamed(images, 'lxc', 'nine'))).toMatch(/^not a version/);
  });

  test('is never built twice under one version', () => {
    expect(refusal(() => refuseBuilt(images, 'lxc', '1.9.0'))).toMatch(/exists|already.*vm-image build 1\.11\.0/);
    expect(refusal(() => refuseBuilt(images, 'lxc', '2.0.0'))).toBe('no refusal');
  });

  test('is newer by its version, not by when it was built', () => {
    expect([newestImage(images, 'lxc')?.version, nextImageVersion(images, 'lxc')]).toEqual(['1.10.0', '1.11.0']);
    expect([newestImage([], 'lxc'), nextImageVersion([], 'lxc')]).toEqual([undefined, '1.0.0']);
  });

  test('is called by its version, and by its digest where it has none', () => {
    expect(imageText(images, 'lxc', image('1.9.0').digest)).toBe('1.9.0');
    expect(imageText(images, 'lxc', `sha256:${'ab'.repeat(32)}`)).toBe('abababababab');
  });
});

describe('an image may enter', () => {
  const prod = environment({ machines: { kind: 'lxc', count: 1, memory: 1, cpus: 1 } });
  const next = image('1.9.0');
  const judged = (here: Parameters<typeof checkImageGates>[2], ...before: Parameters<typeof checkImageGates>[2][]) =>
    refusal(() =>
      checkImageGates(next, prod, here, {
        before: before.map((each, index) => ({ name: `qa-${index + 1}`, record: each })),
        now: Date.parse('2026-12-24T12:00:00Z'),
      }),
    );

  test('where something ran well on it in every environment before', () => {
    expect(judged(record([]), ran('1.9.0'), ran('1.9.0'))).toBe('no refusal');
    expect(judged(record([]), ran('1.9.0'), ran('1.0.0'))).toBe(
      'image 1.9.0 may not enter prod | nothing has run on image 1.9.0 in qa-2 | Run `lockage vm-image promote 1.9.0 --to qa-2`.',
    );
    expect(judged(record([]), record([{ ...failed(1, '1.0.0'), machineImage: next.digest }]))).toMatch(/may not enter/);
  });

  test('where it ran before, which is how one goes back', () => {
    expect(judged(ran('1.9.0'), ran('1.0.0'))).toBe('no refusal');
  });

  test('not in a freeze, unless it ran here before', () => {
    const [from, until] = [Date.parse('2026-12-20T00:00:00Z'), Date.parse('2027-01-02T23:00:00Z')];
    const feast = { kind: 'fixed', from, until, zone: 'Europe/Berlin', reason: 'the feast' } as const;
    const frozen = { ...prod, freeze: [feast] };
    const facts = { before: [], now: Date.parse('2026-12-24T12:00:00Z') };
    expect(refusal(() => checkImageGates(next, frozen, record([]), facts))).toBe(
      'image 1.9.0 may not enter prod | prod is frozen until 2027-01-03 00:00 Europe/Berlin: the feast' +
        ' | Run the same command again after 2027-01-02 23:00 UTC.',
    );
    expect(refusal(() => checkImageGates(next, frozen, ran('1.9.0'), facts))).toBe('no refusal');
  });

  test('not while there is a hold or a cordon', () => {
    const hold = { since: '2026-01-01T00:00:00.000Z', actor: 'anna@desk', reason: 'bad', version: '1.0.0' };
    const cordons = [{ host: 'prod-2', since: hold.since, actor: hold.actor, reason: 'dead' }];
    expect(judged(record([], [], { hold, cordons }))).toBe(
      'image 1.9.0 may not enter prod | prod is on hold: bad | prod-2 is cordoned | ' +
        'Run `lockage resume prod`, then `lockage host uncordon prod-2 --env prod`.',
    );
  });

  test('not where nothing runs that would prove it, or where data would go with the machines', () => {
    expect(refusal(() => servingOn(prod, record([])))).toMatch(/^nothing runs in prod/);
    const db = { name: 'db', host: 'prod-1' } as (typeof prod.accessories)[number];
    expect(refusal(() => refuseAccessories({ ...prod, accessories: [db] }))).toMatch(/run accessories.*db on prod-1/);
  });
});
