import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';
import { untilStopped } from '../support/until-stopped.ts';
import { deeds, named, wordsOf, type Deed } from './deeds.ts';

/** Every operation, cut short in each of these ways at every point that it comes to; then the same command again. */
const ways = ['kill', 'throw', 'hang'] as const;
type Way = (typeof ways)[number];

const hours = 3 * 3_600_000;
/** `LOCKAGE_CRASH=a promotion/kill` runs one part, `LOCKAGE_CRASH_POINT=at:pull` one point of it. */
const chosen = process.env['LOCKAGE_CRASH'] ?? '';
const onlyPoint = process.env['LOCKAGE_CRASH_POINT'] ?? '';
const cases = Object.entries(deeds).flatMap(([name, deed]) =>
  ways.map((way) => [`${name}/${way}`, deed, way] as const),
);

describe.runIf(labsWork)('whatever cuts an operation short, the same command ends it well', () => {
  let project: TestProject;

  beforeAll(async () => {
    const environments = {
      prod: { hosts: 2, reach: 'unix' },
      mesh: { hosts: 1, reach: 'unix', managers: 1 },
    } as const;
    const settings = { watch: '1s', pipeline: ['prod', { name: 'mesh', after: [] }] };
    project = await TestProject.open({ app: 'small-app', environments }, settings);
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': {} });
  }, setupTime);

  afterAll(async () => project?.remove());

  test.each(cases.filter(([name]) => name.startsWith(chosen)))(
    '%s',
    async (_name, deed, way) => {
      const wrong: string[] = [];
      for (const point of (await pointsOf(project, deed)).filter((each) => each.startsWith(onlyPoint))) {
        const found = await cutShort(project, deed, way, point).catch((error: unknown) => [String(error)]);
        wrong.push(...found.map((text) => `${point}: ${text}`));
        console.log(`${_name} ${point} ${found.length === 0 ? 'holds' : found.join('; ')}`);
      }
      expect(wrong).toEqual([]);
    },
    hours,
  );
});

/** The points that the operation comes to when nothing cuts it short, each once. */
async function pointsOf(project: TestProject, deed: Deed): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'lockage-points-'));
  const file = join(folder, 'points');
  await deed.prepare(project);
  const words = [...wordsOf(project, deed), '--json'];
  const { code, stderr } = await project.start(words, { LOCKAGE_FAILPOINT: `log:${file}` }).ended;
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}:\n${stderr}`);
  const points = (await readFile(file, 'utf8')).trim().split('\n');
  await rm(folder, { recursive: true });
  return [...new Set(points)];
}

/** Returns what does not hold. */
async function cutShort(project: TestProject, deed: Deed, way: Way, point: string): Promise<string[]> {
  await deed.prepare(project);
  const words = [...wordsOf(project, deed), '--json'];
  const load = deed.serves.length > 0 && deed.end !== undefined ? await visitors(project, deed) : undefined;
  const wrong: string[] = [];
  try {
    wrong.push(...(await fail(project, deed, way, point)));
    const again = await project.run(...words);
    if (again.code !== 0 && !isDone(words, again.stderr))
      wrong.push(`again: ${again.code} ${again.stderr.slice(-400)}`);
    wrong.push(...(await left(project, deed)));
  } finally {
    const stats = await load?.stop();
    if (stats && stats.failed > 0 && !deed.interrupts)
      wrong.push(`${stats.failed} requests failed: ${JSON.stringify(stats.failures)}`);
  }
  return wrong;
}

const environmentOf = ({ environment = 'prod' }: Deed) => environment;

const visitors = (project: TestProject, deed: Deed) =>
  startLoad({ urls: project.urls(environmentOf(deed)), rate: 20, connections: 'both' });

/** What the commands say that have come to their end before they were cut short, and have nothing to do again. */
const nothingLeft: Readonly<Record<string, RegExp>> = {
  rollback: /no earlier good revision|runs \S+ already|is what runs/,
  adopt: /hosts know no later one: nothing to adopt/,
};

const isDone = ([command = '']: readonly string[], stderr: string) => nothingLeft[command]?.test(stderr) ?? false;

async function fail(project: TestProject, deed: Deed, way: Way, point: string): Promise<string[]> {
  if (way === 'hang') return hang(project, deed, point);
  const words = [...wordsOf(project, deed), '--json'];
  const env = { LOCKAGE_FAILPOINT: way === 'kill' ? point : `throw:${point}` };
  const { code, signal, stderr } = await project.start(words, env).ended;
  if (way === 'kill') return signal === 'SIGKILL' ? [] : [`was not killed: ${code}`];
  // What fails after it is recorded, or in clearing up, is no failure of the operation.
  return code === null ? [`ended by ${signal}: ${stderr.slice(-300)}`] : [];
}

/** It is stopped, somebody else takes over, and it goes on when that is done: it must not undo any of it. */
async function hang(project: TestProject, deed: Deed, point: string): Promise<string[]> {
  const environment = environmentOf(deed);
  const words = [...wordsOf(project, deed), '--json'];
  const late = project.start(words, { LOCKAGE_ACTOR: 'anna', LOCKAGE_FAILPOINT: `stop:${point}` });
  await untilStopped(late.pid);
  const bob = (...command: string[]) => project.start(command, { LOCKAGE_ACTOR: 'bob' }).ended;
  await bob('unlock', environment, '--yes');
  const done = await bob(...words);
  const before = await partsOf(project, environment);
  late.kill('SIGCONT');
  const { code } = await late.ended;
  const after = await partsOf(project, environment);
  const wrong = done.code === 0 || isDone(words, done.stderr) ? [] : [`bob: ${done.code} ${done.stderr.slice(-300)}`];
  const changes = [
    ...before.filter((each) => !after.includes(each)).map((each) => `- ${each}`),
    ...after.filter((each) => !before.includes(each)).map((each) => `+ ${each}`),
  ];
  if (changes.length > 0) wrong.push(`the late one (${code}) changed what runs: ${changes.join(', ')}`);
  return wrong;
}

/** Returns all that is on the hosts, one text each, but what locks are made of. */
async function partsOf(project: TestProject, environment: string): Promise<string[]> {
  const hosts = Object.entries(await project.snapshot(environment));
  return hosts.flatMap(([host, parts]) =>
    Object.entries(parts).flatMap(([kind, names]) =>
      names.filter((name) => !name.includes('-lock.')).map((name) => `${host} ${kind} ${name}`),
    ),
  );
}

/** Returns what is not as after a command that nothing had happened to. */
async function left(project: TestProject, deed: Deed): Promise<string[]> {
  const environment = environmentOf(deed);
  const end = deed.end !== undefined && environment === 'prod' ? named(deed.end) : deed.end;
  const wrong: string[] = [];
  const serving = await project.versions(environment).catch(() => []);
  const wanted = end === undefined ? [] : project.urls(environment).map(() => end);
  if (JSON.stringify(serving) !== JSON.stringify(wanted)) wrong.push(`serves ${serving.join(' ') || 'nothing'}`);
  // Docker's plugin looks every five minutes whether the Pulumi that started it is still there.
  const processes = await project.leftProcesses(20_000, /pulumi-resource-docker/);
  if (processes.length > 0) wrong.push(`still runs: ${processes.join(', ')}`);
  for (const [host, { containers, volumes }] of Object.entries(await project.snapshot(environment))) {
    const strays = [...containers, ...volumes].filter(
      (name) =>
        /\.(trial|old|new|next)\b|^[0-9a-f]{64}$/.test(name) || (!deed.keepsLock && /-lock\b(?!.*\.over$)/.test(name)),
    );
    if (strays.length > 0) wrong.push(`${host} still has ${strays.join(', ')}`);
  }
  if (end === undefined) return wrong;
  const status = (await project.succeed('status', '--env', environment)).json;
  if (status.problems.length > 0) wrong.push(status.problems.join('; '));
  if (status.lock && !deed.keepsLock) wrong.push('it is locked');
  const drift = await project.run('drift', environment);
  if (drift.code !== 0) wrong.push(drift.stdout);
  return wrong;
}
