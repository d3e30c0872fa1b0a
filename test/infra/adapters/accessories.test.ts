import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AccessoriesAdapter } from '../../../infra/adapters/accessories.ts';
import { ownerLabels } from '../../../infra/docker/labels.ts';
import type { AccessoryPlace } from '../../../pipelines/operations/ports/accessories.ts';
import { environment, hostWith } from '../../pipelines/model/values.ts';
import { sessionIn } from '../../support/context-fixture.ts';
import { ExecEngine } from '../../support/exec-engine.ts';

let folder: string;
let exec: ExecEngine;
let place: AccessoryPlace;
let file: string;
/** what the accessory has */
let data: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-accessories-'));
  [file, data] = [join(folder, 'backup'), join(folder, 'data')];
  exec = new ExecEngine();
  const host = hostWith('prod-1', { url: `tcp://127.0.0.1:${await exec.listen()}` });
  const backup = { command: ['cat', data], restore: ['sh', '-c', `cat > ${data}`] };
  const accessory = {
    ...{ name: 'db', image: 'db:1', host: 'prod-1', volumes: {}, env: {}, secrets: [], memory: 1 },
    backup,
  };
  place = { environment: environment({ hosts: [host], accessories: [accessory] }), accessory };
  exec.details = container('prod');
  writeFileSync(data, 'old');
});

afterEach(() => {
  exec.close();
  rmSync(folder, { recursive: true, force: true });
});

const container = (of: string, state: object = {}, check = ['true']) => ({
  Id: 'db',
  Name: '/shop-prod-db',
  RestartCount: 0,
  State: { Running: true, Restarting: false, ExitCode: 1, StartedAt: '2026-01-01T00:00:00Z', ...state },
  Config: { Labels: ownerLabels('shop', of, 'accessory'), Env: [], Healthcheck: { Test: ['CMD', ...check] } },
  HostConfig: {},
  Mounts: [],
});

const accessories = () => new AccessoriesAdapter('shop', sessionIn(folder));
const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

async function backUp(): Promise<void> {
  await accessories().backUp(place, file, { prove: false });
  writeFileSync(data, 'new');
}

test('data of an accessory is written to a file, and replaced by those of one', async () => {
  await backUp();
  await accessories().checkBackup(place, file);
  await accessories().restore(place, file);
  expect(readFileSync(data, 'utf8')).toBe('old');
});

test('an accessory that does not work with the data that it got is broken, and not refused', async () => {
  await backUp();
  exec.details = container('prod', { Running: false });
  expect(await failure(accessories().restore(place, file))).toMatchObject({
    name: 'BrokenError',
    message: `db has the data of ${file} and does not work with it: prod-1: shop-prod-db ended with exit code 1`,
    hint: 'Look at `lockage accessory logs prod db`.',
  });
});

test('a restore whose connection breaks says that nobody knows', async () => {
  await backUp();
  exec.cuts = { stdin: 1 };
  expect(await failure(accessories().restore(place, file))).toMatchObject({
    name: 'BrokenError',
    message: expect.stringContaining(`db may have a part of the data of ${file}: `),
  });
  expect(readFileSync(data, 'utf8')).toBe('new');
});

test('a restore that breaks off before its end was sent leaves the data, and says so', async () => {
  writeFileSync(data, 'old\n'.repeat(1_000_000));
  await backUp();
  exec.cuts = { stdin: 1 };
  expect(await failure(accessories().restore(place, file))).toMatchObject({
    name: 'RolledBackError',
    message: expect.stringMatching(/^db has the data that it had: /),
  });
  expect(readFileSync(data, 'utf8')).toBe('new');
});

test('an accessory that does not run gets no data', async () => {
  await backUp();
  exec.details = container('prod', { Running: false });
  expect(await failure(accessories().checkBackup(place, file))).toMatchObject({
    name: 'LockageError',
    message: 'prod-1: accessory db does not run',
  });
});

test.each([undefined, 'eu'])('what another environment has under its name (%s) is never touched', async (of) => {
  await backUp();
  exec.details = of === undefined ? undefined : container(of);
  const works = [
    accessories().restore(place, file),
    accessories().restart(place),
    accessories().exec(place, ['true'], {}),
  ];
  for (const work of works) {
    expect(await failure(work)).toMatchObject({ name: 'LockageError', message: 'prod-1: accessory db is not there' });
  }
  expect(readFileSync(data, 'utf8')).toBe('new');
});

test.each([
  ['is refused where that would fill the disk', 30, /takes 12\.3 GB, and 12\.6 GB are free$/],
  ['is begun where there is room', 300, /^what was backed up could not be restored/],
])('a proof of a backup, which copies all data, %s', async (_what, total, message) => {
  writeFileSync(join(exec.programs, 'du'), '#!/bin/sh\necho "12000000\t$4"\n', { mode: 0o755 });
  const df = `/dev/vda ${total * 1_000_000} 1 ${total * 410_000} 59% /data`;
  writeFileSync(join(exec.programs, 'df'), `#!/bin/sh\necho "Filesystem\n${df}"\n`, { mode: 0o755 });
  const accessory = { ...place.accessory, volumes: { data: '/data' } };
  writeFileSync(file, 'earlier');
  const refused = accessories().backUp({ ...place, accessory }, file, { prove: true });
  expect(await failure(refused)).toMatchObject({ name: 'LockageError', message: expect.stringMatching(message) });
  expect(readFileSync(file, 'utf8')).toBe('earlier');
});

test('a backup that cannot be restored is none, and an earlier one stays', async () => {
  writeFileSync(file, 'earlier');
  // This engine makes no containers, so no trial can be made.
  const refused = accessories().backUp(place, file, { prove: true });
  expect(await failure(refused)).toMatchObject({
    name: 'LockageError',
    message: expect.stringMatching(/^what was backed up could not be restored: prod-1: /),
  });
  expect(readFileSync(file, 'utf8')).toBe('earlier');
});

test.each<[string, 'refused' | 'lost', object, string, RegExp]>([
  ['is not stopped', 'refused', {}, 'LockageError', /^accessory db was not restarted, and runs as before: /],
  ['gets no answer', 'lost', {}, 'BrokenError', /^accessory db may be down: /],
  ['does not start', 'refused', { Running: false }, 'BrokenError', /^accessory db is down: /],
])('a restart of an accessory that %s says what is true', async (_case, fate, state, name, message) => {
  exec.onRestart = (url) => {
    if (!url.includes('/restart')) return undefined;
    exec.details = container('prod', state);
    return fate;
  };
  expect(await failure(accessories().restart(place))).toMatchObject({ name, message: expect.stringMatching(message) });
});
