/** What goes wrong around an environment. Each ends with what a person would do then, after which all has to be well. */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BareHost } from '../../scripts/lab/lab.ts';
import { byHand } from './by-hand.ts';
import { promote, wayBack, type Deed } from './operations.ts';
import type { Random } from './random.ts';
import { environment, promoting, type Stage } from './stage.ts';

/** A changing command, and what serves when it has ended well. */
interface Change {
  readonly words: readonly string[];
  readonly serves: readonly string[];
  /** exit codes of the same command again, once it was done */
  readonly again: readonly number[];
  /** brings back what only this change needs */
  readonly after?: readonly string[];
}

/** Prepares for a change that is to be stopped. */
type Changing = (stage: Stage, random: Random) => Promise<Change>;

const changes: Readonly<Record<string, Changing>> = {
  'a promotion': async (stage, random) => {
    await stage.resumed();
    const version = stage.another(random);
    return { words: promoting(version), serves: [version], again: [0] };
  },
  'a rollback': async (stage, random) => {
    const { version } = await wayBack(stage, random);
    // What was done when it was stopped cannot be gone back to again.
    return { words: ['rollback', environment, '--to', version, '--yes'], serves: [version], again: [0, 2] };
  },
  'a drill': async (stage, random) => {
    await wayBack(stage, random);
    return { words: ['rollback', environment, '--drill'], serves: stage.serves, again: [0] };
  },
  'a cordon': async (stage, random) => {
    const host = ['--env', environment];
    const { name } = random.pick(stage.hosts);
    const after = ['host', 'uncordon', name, ...host, '--yes'];
    return { words: ['host', 'cordon', name, ...host], serves: stage.serves, again: [0], after };
  },
  'the return of a host': async (stage, random) => {
    const { name } = random.pick(stage.hosts);
    await stage.lockage(['host', 'cordon', name, '--env', environment]);
    const words = ['host', 'uncordon', name, '--env', environment, '--yes'];
    return { words, serves: stage.serves, again: [0], after: words };
  },
  'a healing': async (stage, random) => {
    await moreMemory(stage, random.pick(stage.hosts).name);
    const words = ['heal', environment, '--yes'];
    return { words, serves: stage.serves, again: [0], after: words };
  },
  'a release': async (stage) => {
    const version = stage.nextVersion();
    const image = await stage.project.build(version);
    stage.hasReleased(version);
    const words = ['release', version, '--image', image];
    return { words, serves: stage.serves, again: [0], after: words };
  },
  'a pruning': async (stage) => ({ words: ['prune', environment, '--yes'], serves: stage.serves, again: [0] }),
};

/** Gives the containers that serve on a host more memory by hand. */
async function moreMemory(stage: Stage, host: string): Promise<void> {
  const serving = ['--filter', 'label=lockage.role=web', '--filter', `label=lockage.release=${stage.serves[0]}`];
  const ids = await stage.docker(host, 'ps', '--quiet', ...serving);
  await stage.docker(host, 'update', '--memory', '300m', '--memory-swap', '300m', ...ids.split('\n'));
}

/** A killed operator: the same command again ends well, and then what only this change needs. */
const killed = (name: string, change: Changing): Deed => ({
  name: `the operator is killed in ${name}`,
  play: async (stage, random) => {
    const { words, serves, again, after } = await change(stage, random);
    const { code } = await stage.stopped(words, 'SIGKILL', random, again);
    const isRollback = words[0] === 'rollback' && !words.includes('--drill');
    await stage.lockage(words, code === 0 && isRollback ? [2] : again);
    stage.serves = serves;
    if (after) await stage.lockage(after);
    await freed(stage);
  },
});

/** An interrupted operator: the command ends by itself, and what served before serves, or what was to. */
const interrupted = (name: string, change: Changing): Deed => ({
  name: `Ctrl-C in ${name}`,
  play: async (stage, random) => {
    const { words, serves, after } = await change(stage, random);
    const { code } = await stage.stopped(words, 'SIGINT', random, [0, 130]);
    if (code === 0) stage.serves = serves;
    if (after) await stage.lockage(after);
  },
});

/** A command with nothing left to do takes no lock, and leaves that of one that was killed to the next one that has. */
async function freed(stage: Stage): Promise<void> {
  const { json } = await stage.lockage(['status', '--env', environment]);
  if (json.lock === undefined) return;
  stage.known = { ...stage.known, hold: json.hold !== undefined };
  await stage.resumed();
  await stage.lockage(promoting(stage.serves[0] ?? ''));
}

/** Stops hosts while nothing else is done, asks for a promotion that must be refused, and gives them back. */
async function awhile(stage: Stage, random: Random, { why, take, back, hosts }: Outage): Promise<void> {
  const gone = hosts === 'all' ? stage.hosts : [random.pick(stage.hosts)];
  await stage.resumed();
  await stage.without(gone, why, async () => {
    await Promise.all(gone.map(take));
    try {
      await stage.lockage(promoting(stage.another(random)), [2]);
      await stage.lockage(['status', '--check'], [hosts === 'all' ? 4 : 5]);
    } finally {
      await Promise.all(gone.map(back));
    }
  });
}

/** Stops a host somewhere in a promotion; the same command again ends well when it is back. */
async function during(stage: Stage, random: Random, { why, take, back }: Outage): Promise<void> {
  await stage.resumed();
  const host = random.pick(stage.hosts);
  const words = promoting(stage.another(random));
  const attempt = stage.start(words);
  await Promise.race([sleep(random.between(500, 9000)), attempt.running.ended]);
  await stage.without([host], why, async () => {
    await take(host);
    try {
      await stage.ended(attempt, [0, 2, 3, 4, 5]);
    } finally {
      await back(host);
    }
  });
  await stage.lockage(words);
  stage.serves = [words[1] ?? ''];
}

/** A way in which hosts go, and come back. */
interface Outage {
  readonly why: string;
  take(host: BareHost): Promise<void>;
  back(host: BareHost): Promise<void>;
  readonly hosts?: 'all';
}

const unplugged: Outage = { why: 'its network was cut', take: (host) => host.unplug(), back: (host) => host.plug() };
const powerless: Outage = {
  why: 'its power was cut',
  take: (host) => host.cutPower(),
  back: (host) => host.restorePower(),
};
const engineStopped: Outage = {
  why: 'its engine was stopped',
  take: (host) => host.stopDocker(),
  back: (host) => host.startDocker(),
};
const engineKilled: Outage = {
  why: 'its engine was killed',
  take: (host) => host.stopDocker({ crash: true }),
  back: (host) => host.startDocker(),
};

const outage = (name: string, play: typeof awhile, what: Outage): Deed => ({
  name,
  play: (stage, random) => play(stage, random, what),
});

const outages: readonly Deed[] = [
  outage('the network of a host is cut', awhile, unplugged),
  outage('the network of a host is cut in a promotion', during, unplugged),
  outage('the power of a host is cut', awhile, powerless),
  outage('the power of a host is cut in a promotion', during, powerless),
  outage('the power of all hosts is cut', awhile, { ...powerless, hosts: 'all' }),
  outage('the engine of a host is stopped', awhile, engineStopped),
  outage('the engine of a host is stopped in a promotion', during, engineStopped),
  outage('the engine of a host is killed', awhile, engineKilled),
];

/** Two operators at once: one of them at least ends well, and what the last of these did is what serves. */
async function twoAtOnce(stage: Stage, random: Random): Promise<void> {
  await stage.resumed();
  const before = stage.serves;
  const [one = '', two = ''] = random.shuffled(stage.releases.filter((version) => !before.includes(version)));
  const first = stage.start(promoting(one));
  await sleep(random.between(0, 5000));
  const second = stage.start(promoting(two === '' ? one : two), 'bob');
  const ends = await Promise.all([stage.ended(first, [0, 75]), stage.ended(second, [0, 75])]);
  const done = [one, two === '' ? one : two].filter((_, index) => ends[index]?.code === 0);
  if (done.length === 0) stage.wrong('both operators were told that the other one has the lock');
  stage.serves = done.length === 0 ? before : done;
}

/** Somebody takes the lock away and promotes; whoever had it changes nothing any more. */
async function takenOver(stage: Stage, random: Random): Promise<void> {
  await stage.resumed();
  const [one = '', two = one] = random.shuffled(stage.releases.filter((version) => !stage.serves.includes(version)));
  const first = stage.start(promoting(one));
  await Promise.race([sleep(random.between(1000, 8000)), first.running.ended]);
  await stage.ended(stage.start(['unlock', environment, '--yes'], 'bob'), [0]);
  const second = stage.ended(stage.start(promoting(two), 'bob'), [0]);
  await Promise.all([stage.ended(first, [0, 75]), second]);
  stage.serves = [two];
}

const stateOf = ({ project }: Stage) => join(project.folder, '.lockage', 'state', '.pulumi');

/** Adopts an environment after something happened to its state, which may change nothing before; every revision is there then. */
async function adopted(stage: Stage, happens: () => Promise<void>): Promise<void> {
  const before = await historyOf(stage);
  await happens();
  await stage.lockage(promoting(stage.serves[0] ?? ''), [2]);
  await stage.lockage(['adopt', environment, '--yes']);
  const after = await historyOf(stage);
  const lost = before.filter((revision) => !after.includes(revision));
  if (lost.length > 0) stage.wrong(`adopt has not brought back ${lost.join(', ')}`, 'records');
}

/** Returns the revisions of the environment, each with what it was. */
async function historyOf(stage: Stage): Promise<string[]> {
  const { json } = await stage.lockage(['history', environment, '--limit', '200']);
  const revisions: readonly { number: number; kind: string; result: string; release: { version: string } }[] =
    json.revisions;
  return revisions.map(({ number, kind, result, release }) => `${number} (${kind} ${release.version}: ${result})`);
}

/** A copy of the state from before a promotion is put in its place. */
async function olderState(stage: Stage, random: Random): Promise<void> {
  await stage.resumed();
  const copy = join(stage.project.folder, '..', 'older-state');
  await rm(copy, { recursive: true, force: true });
  await cp(stateOf(stage), copy, { recursive: true });
  await promote(stage, random);
  await adopted(stage, async () => {
    await rm(stateOf(stage), { recursive: true });
    await cp(copy, stateOf(stage), { recursive: true });
  });
}

/** The state is gone: releases that hosts do not know are recorded again, and the environment is adopted. */
async function lostState(stage: Stage): Promise<void> {
  await adopted(stage, () => rm(stateOf(stage), { recursive: true }));
  const known = await stage.lockage(['releases']);
  const versions: string[] = (known.json?.releases ?? []).map(({ version }: { version: string }) => version);
  for (const version of stage.releases.filter((each) => !versions.includes(each)))
    await stage.lockage(['release', version, '--image', `${stage.project.lab.registry}/trial:build-${version}`]);
  // What is recorded of edges and accessories is not on hosts: the next promotion records it again.
  await stage.resumed();
  await stage.lockage(promoting(stage.serves[0] ?? ''));
}

/** The registry is away: nothing new comes in, and a way back is there. */
async function withoutRegistry(stage: Stage, random: Random): Promise<void> {
  const back = await wayBack(stage, random);
  await stage.resumed();
  // No host has its image yet.
  const version = await stage.release();
  await stage.project.lab.stopRegistry();
  try {
    await stage.lockage(promoting(version), [2]);
    await stage.lockage(['rollback', environment, '--to', back.version, '--yes']);
    stage.serves = [back.version];
  } finally {
    await stage.project.lab.startRegistry();
  }
}

/** Some of a host's disk is taken by others during a promotion. */
async function fullerDisk(stage: Stage, random: Random): Promise<void> {
  const host = random.pick(stage.hosts);
  const file = join(stage.project.lab.dataDir, 'hosts', host.name, 'docker', 'filler');
  await host.exec(['fallocate', '-l', '2G', file]);
  try {
    await promote(stage, random);
  } finally {
    await rm(file, { force: true });
  }
}

/** The faults, as steps of a soak. */
export const faults: readonly Deed[] = [
  ...Object.entries(changes).map(([name, change]) => killed(name, change)),
  ...Object.entries(changes).map(([name, change]) => interrupted(name, change)),
  ...outages,
  ...byHand,
  { name: 'two operators at once', play: twoAtOnce },
  { name: 'an operator takes over from another', play: takenOver },
  { name: 'an older copy of the state', play: olderState },
  { name: 'the state is lost, and adopted', play: lostState },
  { name: 'the registry is away', play: withoutRegistry },
  { name: 'the disk of a host is fuller', play: fullerDisk },
];
