/**
 * Prod on a laptop: what runs in prod runs on the computer that builds, and from one file on another computer, while no
 * registry answers. Both are removed again.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { shortDigest } from '../../pipelines/model/release.ts';
import { run } from '../tools/command.ts';
import { durationText, table } from '../tools/format.ts';
import type { Ended, Player } from './player.ts';
import { screen } from './screen.ts';
import { folders, hostsOf, type Computer } from './stage.ts';
import { versionAt } from './visitor.ts';

/** The name that a reproduction of prod gets by itself. */
const name = 'prod-here';
const version = '1.1.0';
const bundle = 'prod.lockage';
/** The time that the shop may take for an answer, or the worker for its job: ms. */
const answerTimeout = 30_000;

/** A folder with the computer it is on. */
interface Place {
  readonly folder: string;
  readonly computer: Computer;
}

/** What runs of a role: the digest that a registry knows, and the hash by which the engine names that image. */
interface Running {
  readonly role: string;
  readonly digest: string;
  readonly image?: string;
}

export async function prodOnALaptop(player: Player): Promise<void> {
  const { project, away } = folders();
  const { builder, laptop } = player.stage;
  const [prod] = await player.urls('prod');
  const original = await runningInProd(player);
  const jobs = await jobsAt(prod ?? '');

  await reproduce(player, ['prod'], { folder: project, computer: builder }, original);
  await mkdir(away);
  await player.lockage(['bundle', 'prod', '-o', path.relative(project, path.join(away, bundle))]);
  await remove(player, { folder: project, computer: builder });

  await player.stage.withoutRegistry(async () => {
    screen.held(`the registry is stopped, and the folder of ${bundle} has nothing else`);
    screen.command(['cd', path.relative(project, away)]);
    await reproduce(player, ['--from', bundle], { folder: away, computer: laptop }, original);
    await remove(player, { folder: away, computer: laptop });
  });
  await rm(away, { recursive: true });
  const after = await jobsAt(prod ?? '');
  player.check(after === jobs, `the database of prod is as it was: ${after}`, `prod had ${jobs}, and has ${after}`);
}

/** Reproduces, and uses the shop there. */
async function reproduce(
  player: Player,
  words: readonly string[],
  at: Place,
  original: readonly Running[],
): Promise<void> {
  const { stdout } = await player.lockage(['reproduce', ...words, '--yes'], { at, note: movedText });
  const here = await runningOn(at.computer, name);
  screen.line();
  for (const line of table([...rowsOf('prod', original), ...rowsOf(name, here)])) screen.quote(line);
  player.check(isSame(original, here), 'these are the digests of prod', 'these are not the digests of prod');
  const port = /http:\/\/\S+:(\d+)\//.exec(stdout)?.[1] ?? '';
  const url = `http://${at.computer.address}:${port}/`;
  const found = await versionAt(url, answerTimeout);
  player.check(found === version, `${url} answers with ${version}`, `${url} answers with ${found ?? 'nothing'}`);
  await useDatabase(player, url);
}

/** Gives the shop a job, which goes through its database to the worker. */
async function useDatabase(player: Player, url: string): Promise<void> {
  const before = await jobsAt(url);
  await fetch(new URL('jobs', url), { method: 'POST', signal: AbortSignal.timeout(answerTimeout) });
  const started = performance.now();
  let jobs = await jobsAt(url);
  while (jobs !== '0 jobs waiting, 1 done' && performance.now() - started < answerTimeout) {
    await sleep(200);
    jobs = await jobsAt(url);
  }
  const took = durationText(performance.now() - started);
  player.check(
    before === '0 jobs waiting, 0 done' && jobs === '0 jobs waiting, 1 done',
    `its own database was empty; a job that web put there was done by worker ${took} later`,
    `its database had ${before}, and after one more job ${jobs}`,
  );
}

async function remove(player: Player, at: Place): Promise<void> {
  await player.lockage(['destroy', name, '--volumes', '--yes'], { at });
  const { docker } = at.computer;
  const mine = ['--quiet', '--filter', `label=lockage.environment=${name}`];
  const kinds = [['container', 'ls', '--all'] as const, ['volume', 'ls'] as const, ['network', 'ls'] as const];
  const left = await Promise.all(kinds.map((words) => run(['docker', '-H', docker, ...words, ...mine])));
  const kept = await readdir(path.join(at.folder, '.lockage', 'reproductions'));
  const text = [...left.map((each) => each.trim()), ...kept].filter((each) => each !== '').join(', ');
  player.check(text === '', `nothing of ${name} is left but its images`, `${name} left ${text}`);
}

/** Returns what prod runs, as an engine of it says; of a swarm or machines, what is recorded. */
async function runningInProd(player: Player): Promise<readonly Running[]> {
  const docker = hostsOf(player.stage, 'prod').find((host) => host.docker !== undefined)?.docker;
  if (docker !== undefined) return runningOn({ docker }, 'prod');
  const { answer } = await player.lockage(['status', '-e', 'prod', '--json'], { json: true });
  return ['web', 'worker'].map((role) => ({ role, digest: answer.digest ?? '' }));
}

/** Returns what an engine runs of an environment's release, by role. */
async function runningOn({ docker }: Pick<Computer, 'docker'>, environment: string): Promise<readonly Running[]> {
  const own = [`lockage.environment=${environment}`, 'lockage.part=release', `lockage.release=${version}`];
  const filters = own.flatMap((label) => ['--filter', `label=${label}`]);
  const ids = (await run(['docker', '-H', docker, 'ps', '--quiet', ...filters])).split('\n').filter((id) => id !== '');
  const format = '{{index .Config.Labels "lockage.role"}} {{index .Config.Labels "lockage.digest"}} {{.Image}}';
  if (ids.length === 0) return [];
  const lines = (await run(['docker', '-H', docker, 'inspect', '--format', format, ...ids])).trim().split('\n');
  return [...new Set(lines)].sort().map((line) => {
    const [role = '', digest = '', image = ''] = line.split(' ');
    return { role, digest, image };
  });
}

function isSame(original: readonly Running[], here: readonly Running[]): boolean {
  const isEqual = (one: Running, other: Running | undefined) =>
    one.role === other?.role && one.digest === other.digest && (one.image ?? other.image) === other.image;
  return (
    original.length > 0 && original.length === here.length && original.every((each, at) => isEqual(each, here[at]))
  );
}

function rowsOf(environment: string, running: readonly Running[]): string[][] {
  return running.map(({ role, digest, image }) => [
    environment,
    role,
    digest,
    image === undefined ? '' : `image ${shortDigest(image)}`,
  ]);
}

async function jobsAt(url: string): Promise<string> {
  const answer = await fetch(new URL('jobs', url), { signal: AbortSignal.timeout(answerTimeout) });
  const { waiting, done } = (await answer.json()) as { readonly waiting: number; readonly done: number };
  return `${waiting} jobs waiting, ${done} done`;
}

function movedText({ stdout }: Ended): string {
  return / ([\d.,]+ \w*B) moved/.exec(stdout)?.[1] ?? '';
}
