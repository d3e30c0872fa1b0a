import { dirname } from 'node:path';
import { Connections } from '../../infra/docker/connections.ts';
import { askRemains } from '../../infra/hosts/leftovers.ts';
import { queryHosts, type Timeouts } from '../../infra/hosts/query.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { lifeOf, type Life } from '../../pipelines/planning/environment-time.ts';
import type { FoundReproduction } from '../project/reproductions.ts';
import { clockText } from '../tools/format.ts';

/** A host that is busy is not dead. */
const timeouts: Timeouts = { first: 5000, total: 15_000 };

/** What is left of an environment with a time; `silent`: its host does not say, and why. */
export type FoundLife = Life | { readonly kind: 'silent'; readonly until: number; readonly error: string };

/** Asks the host of an environment what is left of it; undefined for one without a time. Throws nothing for a host. */
export async function lifeOn({ folder, reproduction }: FoundReproduction): Promise<FoundLife | undefined> {
  const { time, host, name, of } = reproduction;
  if (!time) return undefined;
  const connections = new Connections({ stateDir: dirname(dirname(folder)) });
  try {
    const [found] = await queryHosts([host], timeouts, async (_host, _signal, heard) => {
      const engine = await connections.engine(host);
      heard();
      return askRemains(engine, { app: of.app, environment: name });
    });
    if (found && 'answer' in found) return lifeOf(time, found.answer);
    return { kind: 'silent', until: time.until, error: found?.error ?? 'does not answer' };
  } finally {
    await connections.close();
  }
}

/** What became of an environment whose time is over; undefined while it is not, as far as its host says. */
export async function overOf(found: FoundReproduction): Promise<FoundLife | undefined> {
  const { time } = found.reproduction;
  if (!time || time.until * 1000 > Date.now()) return undefined;
  const life = await lifeOn(found);
  return life?.kind === 'up' || life?.kind === 'stays' ? undefined : life;
}

/** Refuses an environment whose time is over: nothing can be done with it. Throws LockageError. */
export async function refuseOver(found: FoundReproduction): Promise<void> {
  const life = await overOf(found);
  if (!life) return;
  const { name } = found.reproduction;
  throw new LockageError(overText(found, life), {
    ...(life.kind === 'silent' ? { details: [life.error] } : {}),
    hint: `\`lockage env down ${name}\` removes its record here, and \`lockage env up ${name}\` makes it again.`,
  });
}

/** Says what became of an environment whose time is over. */
export function overText({ reproduction: { name, host } }: FoundReproduction, { kind, until }: FoundLife): string {
  const when = `the time of ${name} was over at ${clockText(until * 1000, Date.now())}`;
  if (kind === 'ending') return `${when}, and ${host.name} is removing it`;
  if (kind === 'silent') return `${when}, and ${host.name} does not answer`;
  return `${when}: nothing of it is left on ${host.name}`;
}
