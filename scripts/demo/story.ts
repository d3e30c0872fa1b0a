/** The demo, scene by scene. Everything a scene promises is checked; the first thing that does not hold ends it. */
import { run } from '../tools/command.ts';
import { bytesText, durationText } from '../tools/format.ts';
import { aDatabaseForEachTest } from './databases.ts';
import { approvedAndProven } from './gates.ts';
import { prodOnALaptop } from './laptop.ts';
import type { Ended, Player } from './player.ts';
import { commitVersion, type Behaviour } from './project.ts';
import { screen } from './screen.ts';
import { hostsOf, sizeOf, type Stage } from './stage.ts';
import { environmentNames, targetKinds, type EnvironmentName } from './targets.ts';
import { untilAllAnswer, versionAt } from './visitor.ts';

export interface Scene {
  /** for `--only` */
  readonly name: string;
  readonly title: string | ((stage: Stage) => string);
  /** a stage that cannot show it */
  readonly unless?: (stage: Stage) => boolean;
  play(player: Player): Promise<void>;
}

/** Every other scene begins where these end. */
export const opening: ReadonlySet<string> = new Set(['first', 'next']);

const answerTimeout = 240_000;
const rolledBack = 3;
const drifted = 5;

export const story: readonly Scene[] = [
  {
    name: 'first',
    title: '1.0.0 goes from dev to prod: one image, built once',
    async play(player) {
      await release(player, '1.0.0');
      for (const name of ['dev', 'qa', 'uat'] as const) await promote(player, '1.0.0', name);
      await firstInProd(player, '1.0.0');
    },
  },
  {
    name: 'next',
    title: '1.1.0 follows, while visitors come to prod',
    async play(player) {
      await release(player, '1.1.0');
      for (const name of environmentNames) await promote(player, '1.1.0', name);
    },
  },
  {
    name: 'rollback',
    title: 'Prod goes back to 1.0.0, and after a word of a person to 1.1.0 again',
    play: goBackAndForth,
  },
  { name: 'operators', title: 'Two operators act on prod at once: one does, the other is told', play: twoOperators },
  {
    name: 'drift',
    title: 'Somebody changes a container of prod by hand: it is found, and a new one takes its place',
    // What a swarm or machines run is not on a Docker Engine that the demo speaks to.
    unless: (stage) => hostsOf(stage, 'prod').every(({ docker }) => docker === undefined),
    play: changedByHand,
  },
  {
    name: 'power',
    title: 'A host of prod loses its power, and comes back by itself',
    unless: (stage) => hostsOf(stage, 'prod').every(({ power }) => power === undefined),
    play: losesPower,
  },
  { name: 'unhealthy', title: '1.2.0 is never healthy: dev refuses it', play: neverHealthy },
  { name: 'one-host', title: oneOfProd, play: unhealthyOnOneHost },
  {
    name: 'crash',
    title: '1.3.0 crashes in prod soon after its first visitor: it is taken back by itself',
    play: crashesInProd,
  },
  {
    name: 'laptop',
    title: 'Prod on a laptop: the same digests with a database of their own, and from one file without a registry',
    play: prodOnALaptop,
  },
  {
    name: 'databases',
    title: '64 tests that change data, 16 at a time: each has a copy of the database of its own',
    play: aDatabaseForEachTest,
  },
  {
    name: 'gates',
    title: '1.4.0 comes into prod with proof and an approval; what is blocked, or has another image, does not',
    play: approvedAndProven,
  },
];

async function release(player: Player, version: string, behaviour: Behaviour = {}): Promise<void> {
  await commitVersion(version, behaviour);
  await player.lockage(['release', version]);
}

async function promote(player: Player, version: string, environment: EnvironmentName): Promise<void> {
  await player.lockage(['promote', version, '--to', environment, '--yes', '--json'], { json: true, note: movedText });
  await player.serves(environment, version);
}

async function fail(player: Player, version: string, environment: EnvironmentName): Promise<void> {
  const words = ['promote', version, '--to', environment, '--yes', '--json'];
  await player.lockage(words, { json: true, code: rolledBack });
}

/**
 * Starts the visitors as soon as every host shows something, so that they are there for the end of the promotion. With
 * machines they come after it: their addresses are only known then.
 */
async function firstInProd(player: Player, version: string): Promise<void> {
  if (player.stage.machines.prod) {
    await promote(player, version, 'prod');
    return player.traffic.start('prod', await player.urls('prod'));
  }
  const stop = new AbortController();
  const urls = await player.urls('prod');
  const visitors = untilAllAnswer(urls, version, { timeout: answerTimeout, signal: stop.signal }).then(() =>
    player.traffic.start('prod', urls),
  );
  visitors.catch(() => undefined);
  try {
    await promote(player, version, 'prod');
  } finally {
    stop.abort();
  }
  await visitors;
}

async function goBackAndForth(player: Player): Promise<void> {
  const urls = await player.urls('prod');
  const stop = new AbortController();
  const started = performance.now();
  const back = untilAllAnswer(urls, '1.0.0', { timeout: answerTimeout, signal: stop.signal });
  const seenBack = back.then(
    (at) => at - started,
    () => Number.POSITIVE_INFINITY,
  );
  const words = ['rollback', 'prod', '--yes', '--json'];
  const ended = await player.lockage(words, { json: true }).finally(() => stop.abort());
  const seen = await seenBack;
  const said = ended.answer.trafficBack ?? Number.NaN;
  player.annotate(`traffic back after ${durationText(seen)}`);
  player.check(
    seen < ended.ms,
    `seen from outside, every host answered with 1.0.0 again ${durationText(seen)} after the command's start, ` +
      `by its own word after ${durationText(said)}`,
    'not every host answered with 1.0.0 while the command ran',
  );
  await player.serves('prod', '1.0.0');
  await player.lockage(['resume', 'prod']);
  await promote(player, '1.1.0', 'prod');
}

/** Plays two operators at once: whoever is first, both lead to 1.0.0, and it is recorded once. */
async function twoOperators(player: Player): Promise<void> {
  const promotion = ['promote', '1.0.0', '--to', 'prod', '--yes', '--json'];
  const rollback = ['rollback', 'prod', '--yes', '--json'];
  const done = await player.together(promotion, rollback);
  await player.serves('prod', '1.0.0');
  if (done === 1) await player.lockage(['resume', 'prod']);
  await promote(player, '1.1.0', 'prod');
}

/** Plays a person who logs in to a host, and what becomes of their work. */
async function changedByHand(player: Player): Promise<void> {
  const host = hostsOf(player.stage, 'prod').at(-1);
  if (!host?.docker) return;
  const docker = (...words: string[]) => run(['docker', '-H', host.docker ?? '', ...words]);
  const own = ['lockage.environment=prod', 'lockage.role=web', 'lockage.release=1.1.0'];
  const filters = own.flatMap((label) => ['--filter', `label=${label}`]);
  const found = await docker('ps', ...filters, '--format', '{{.Names}}');
  const name = found.trim().split('\n')[0] ?? '';
  const words = ['update', '--memory', '900m', '--memory-swap', '900m', name];
  screen.command(['docker', ...words]);
  await docker(...words);
  await player.lockage(['drift', 'prod'], { code: drifted });
  // It looks once more itself, and ends with another code where anything is not as recorded.
  await player.lockage(['heal', 'prod', '--yes', '--json'], { json: true });
  await player.serves('prod', '1.1.0');
}

/** Plays a power cut of a host. Visitors go to the other hosts meanwhile, as what is in front of them sees to. */
async function losesPower(player: Player): Promise<void> {
  const [host, ...others] = hostsOf(player.stage, 'prod').toReversed();
  if (!host?.power) return;
  const name = host.target.name;
  await player.traffic.stop('prod');
  const rest = others.map(({ url }) => url);
  if (rest.length > 0) await player.traffic.start('prod', rest);
  await host.power.cutPower();
  const silent = await versionAt(host.url, 2000);
  player.check(silent === undefined, `${name} has no power and does not answer`, `${name} still answers`);
  await host.power.restorePower();
  const started = performance.now();
  const at = await untilAllAnswer([host.url], '1.1.0', {
    timeout: answerTimeout,
    signal: new AbortController().signal,
  });
  screen.held(`${name} answers with 1.1.0 again ${durationText(at - started)} after its engine: nobody did anything`);
  await player.lockage(['status', '--check']);
  await player.traffic.stop('prod');
  await player.traffic.start('prod', await player.urls('prod'));
}

async function neverHealthy(player: Player): Promise<void> {
  await release(player, '1.2.0', { unhealthy: true });
  await player.traffic.start('dev', await player.urls('dev'));
  try {
    await fail(player, '1.2.0', 'dev');
    await player.serves('dev', '1.1.0');
    const versions = [...player.traffic.versions('dev').keys()];
    player.check(
      versions.join() === '1.1.0',
      'visitors of dev got 1.1.0 all the time and nothing else',
      `visitors of dev got ${versions.join(' and ')}`,
    );
  } finally {
    await player.traffic.stop('dev');
  }
}

function oneOfProd(stage: Stage): string {
  const one = stage.kind === 'one-engine' ? 'host' : targetKinds[stage.kind].one;
  return sizeOf(stage, 'prod') === 1
    ? `1.2.1 is unhealthy in prod only, which has one ${one}: it does not serve there`
    : `1.2.1 is unhealthy on one ${one} of prod: no ${one} of prod serves it`;
}

async function unhealthyOnOneHost(player: Player): Promise<void> {
  const hosts = (await player.doors('prod')).map(({ name }) => name);
  await release(player, '1.2.1', { unhealthyOn: hosts[1] ?? hosts[0] ?? '' });
  for (const name of ['dev', 'qa', 'uat'] as const) await promote(player, '1.2.1', name);
  await fail(player, '1.2.1', 'prod');
  await player.serves('prod', '1.1.0');
  const got = player.traffic.versions('prod').get('1.2.1') ?? 0;
  player.check(got === 0, 'no visitor of prod ever got 1.2.1', `visitors of prod got 1.2.1 in ${got} answers`);
}

async function crashesInProd(player: Player): Promise<void> {
  await release(player, '1.3.0', { crashAfterMs: 3000, crashIn: 'prod' });
  for (const name of ['dev', 'qa', 'uat'] as const) await promote(player, '1.3.0', name);
  await fail(player, '1.3.0', 'prod');
  await player.serves('prod', '1.1.0');
  const got = player.traffic.versions('prod').get('1.3.0') ?? 0;
  player.check(
    got > 0,
    `1.3.0 answered ${got.toLocaleString('en')} requests before it crashed; those it left open were answered by 1.1.0`,
    'no visitor of prod got 1.3.0, so its crash was never seen',
  );
}

function movedText({ answer }: Ended): string {
  const moved = Object.entries(answer.bytesMoved ?? {}).map(([host, bytes]) => [host, bytesText(bytes)] as const);
  const [first] = moved;
  if (!first) return '';
  if (moved.every(([, text]) => text === first[1]))
    return moved.length === 1 ? first[1] : `${moved.length} × ${first[1]}`;
  return moved.map(([host, text]) => `${host} ${text}`).join(', ');
}
