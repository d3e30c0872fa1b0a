/** What people do by hand to hosts, and what finds and ends it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { doByHand, partIn, partsOn, type Parts } from '../support/by-hand.ts';
import { driftGroups, type DriftGroup, type DriftKind } from '../support/drift-kinds.ts';
import { promote, type Deed } from './operations.ts';
import type { Random } from './random.ts';
import { environment, type Stage } from './stage.ts';

/** How many things are done by hand at once. */
const most = 4;

/** What is done by hand in steps of the soak: one for each group that can be healed. */
export const byHand: readonly Deed[] = driftGroups
  .filter(({ stays }) => !stays)
  .map((group) => ({
    name: `by hand: ${group.name}`,
    play: (stage, random) => play(stage, random, group),
  }));

async function play(stage: Stage, random: Random, { kinds, served }: DriftGroup): Promise<void> {
  // The release before stands by then.
  await promote(stage, random);
  const releases = { serving: stage.serves[0] ?? '', standby: await standbyOf(stage) };
  const parts = {
    'prod-1': await partsOn(stage.project, 'prod-1', releases),
    'prod-2': await partsOn(stage.project, 'prod-2', releases),
  };
  const possible = kinds.filter((kind) => isPossible(kind, parts[kind.host ?? 'prod-1']));
  const some = new Set(random.shuffled(possible).slice(0, random.between(1, most + 1)));
  // They are in an order in which each can be done.
  const chosen = possible.filter((kind) => some.has(kind));
  // One container of a role on a host: where it is taken away, its visitors have no answer until it is healed.
  const gone =
    served.length === 2 ? [] : stage.hosts.filter(({ name }) => chosen.some((kind) => hostOf(kind) === name));
  await stage.without(gone, 'something there was changed by hand', async () => {
    for (const kind of chosen) await doByHand(stage.project, kind, parts[hostOf(kind)]);
    // What ended comes back by itself, and is counted then.
    await sleep(1000);
    await stage.lockage(['drift', environment], [5]);
    await stage.lockage(['heal', environment, '--yes'], chosen.some(leavesVolume) ? [5] : [0]);
    await stage.lockage(['prune', environment, '--yes']);
  });
}

/** Returns the release that stands by, as `status` has it. */
async function standbyOf(stage: Stage): Promise<string> {
  const { json } = await stage.lockage(['status', '--env', environment]);
  const hosts: readonly { containers: readonly { use: string; version: string }[] }[] = json.hosts.list;
  const containers = hosts.flatMap((host) => host.containers);
  return containers.find(({ use }) => use === 'standby')?.version ?? '';
}

/** The volume that its image declares is left, which healing leaves to a person, and pruning removes. */
function leavesVolume({ byHand: commands }: DriftKind): boolean {
  return commands.some((line) => /^rm --force (OTHER-)?(WORKER|REST)\b/.test(line));
}

const hostOf = ({ host = 'prod-1' }: DriftKind) => host;

/** Returns whether all that a kind names is there. */
export function isPossible({ byHand: commands, onHost = [] }: DriftKind, parts: Parts): boolean {
  const words = [...commands.flatMap((line) => line.split(' ')), ...onHost.flat()];
  return words.every((word) => {
    const part = partIn(word, parts);
    return part === undefined || (parts[part] !== '' && part !== 'QUEUE');
  });
}
