import { join } from 'node:path';
import { engineAtHand, tlsOf } from '../../../infra/hosts/engine-at-hand.ts';
import { Connections } from '../../../infra/docker/connections.ts';
import { swarmError } from '../../../infra/hosts/reaper.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import type { Reproduction } from '../../../pipelines/model/reproduction.ts';
import { isSshHost, type Host } from '../../../pipelines/model/target.ts';
import { chooseHost } from '../../../pipelines/planning/choose-host.ts';
import { timeFrom, timeOf, ttlOf, untilOf, type Life } from '../../../pipelines/planning/environment-time.ts';
import { reproductionName } from '../../../pipelines/planning/plan-reproduction.ts';
import {
  findReproduction,
  removeReproduction,
  reproductionsRoot,
  writeReproduction,
  type FoundReproduction,
} from '../../project/reproductions.ts';
import { withReproductionLock } from '../../project/reproduction-lock.ts';
import { openStateFolder, stateFolderName } from '../../project/state-folder.ts';
import { Redactor } from '../../tools/redactor.ts';
import { bringUp } from '../bring-up.ts';
import { firstContact } from '../confirm-host-key.ts';
import { lifeOn, overText } from '../environment-life.ts';
import { openReproduction } from '../open-context.ts';
import { waitOf, type Flags } from '../options.ts';
import { prepareReproduction, reproducedOf, type Prepared } from '../prepare-reproduction.ts';
import { recordedSource, type ReproductionSource } from '../reproduction-source.ts';
import { runIn } from '../run-command.ts';
import { ConsoleTerminal } from '../terminal.ts';
import { reproductionJson, reproductionLines, timeLines, urlLines, urlsOf } from '../views/reproduction.ts';
import { countsOf } from './scale.ts';

interface EnvUpFlags extends Flags {
  /** an environment, or one of its revisions */
  readonly from?: string;
  readonly release?: string;
  /** name or URL of a host */
  readonly on?: string;
  /** a duration */
  readonly ttl?: string;
  /** a file with values */
  readonly secrets?: string;
  readonly scale?: readonly string[];
  readonly hostKey?: readonly string[];
}

/** Runs `lockage env up`. */
export async function envUpCommand(given: string, flags: EnvUpFlags, signal: AbortSignal): Promise<void> {
  const name = reproductionName(given, given, 'Name it as pr-128.');
  const ttl = flags.ttl === undefined ? undefined : ttlOf(flags.ttl);
  const root = await reproductionsRoot(process.cwd());
  const { from } = flags;
  if (from === undefined) return giveTime({ root, name, ttl, flags }, signal);
  const source = await recordedSource(from, flags.release, signal);
  try {
    source.refuseName(name);
    source.refuseBlocked();
    const work = () => make(source, { root, name, ttl, flags }, signal);
    await withReproductionLock(root, name, work, { ...waitOf(flags), signal });
  } finally {
    await source.close();
  }
}

interface Asked {
  /** the folder that it belongs to */
  readonly root: string;
  readonly name: string;
  readonly ttl: number | undefined;
  readonly flags: EnvUpFlags;
}

async function make(source: ReproductionSource, asked: Asked, signal: AbortSignal): Promise<void> {
  const { flags } = asked;
  const prepared = await prepare(source, asked, signal);
  await runIn(prepared.context, async (context) => {
    // Pulumi's libraries load while the engine is asked.
    if (!flags.plan) void context.loadPulumi().catch(() => undefined);
    const result = await bringUp(context, prepared, flags);
    const shown = await reproducedOf(source, prepared, result);
    context.terminal.result(reproductionJson(shown), reproductionLines(shown));
  });
}

async function prepare(
  source: ReproductionSource,
  { root, name, ttl, flags }: Asked,
  signal: AbortSignal,
): Promise<Prepared> {
  const scale = countsOf(flags.scale ?? []);
  const before = (await present(name))?.found.reproduction;
  const host = await hostOf(source, { name, flags, before });
  await meet(root, host, flags, signal);
  const time = ({ isInSwarm, clock }: Prepared['report']) => {
    if (isInSwarm) throw swarmError(host.name, name);
    return timeOf({ ttl, now: clock, of: source.recorded, before });
  };
  const wanted = { source, root, name, host, scale, before, time, secrets: flags.secrets };
  return prepareReproduction(wanted, flags, signal);
}

/** An environment that has something on its host, and what that says of it. */
interface Present {
  readonly found: FoundReproduction;
  /** absent: it is a reproduction without a time */
  readonly life?: Life;
}

/** Returns the environment of a name. One of which its host has nothing any more is forgotten. Throws LockageError. */
async function present(name: string): Promise<Present | undefined> {
  const found = await findReproduction(process.cwd(), name);
  if (!found) return undefined;
  const life = await lifeOn(found);
  switch (life?.kind) {
    case undefined:
      return { found };
    case 'up':
    case 'stays':
      return { found, life };
    case 'silent':
      throw new LockageError(`${found.reproduction.host.name} does not answer, and has ${name}`, {
        details: [life.error],
      });
    case 'ending':
      throw new LockageError(overText(found, life), { hint: 'Wait until nothing of it is left, then make it again.' });
    case 'absent':
    case 'gone':
      await removeReproduction(found.folder);
      return undefined;
  }
}

interface HostQuestion extends Pick<Asked, 'name' | 'flags'> {
  readonly before: Reproduction | undefined;
}

/** Returns the host that is named, or that it is on already, else that of the engine at hand. */
async function hostOf({ hosts }: ReproductionSource, { name, flags, before }: HostQuestion): Promise<Host> {
  if (flags.on !== undefined) return chooseHost(flags.on, { hosts, environment: name, tls: tlsOf(process.env) });
  return before?.host ?? engineAtHand(process.env);
}

/** Makes sure that the key of a machine is known before anything is sent to it. Throws LockageError. */
async function meet(root: string, host: Host, flags: EnvUpFlags, signal: AbortSignal): Promise<void> {
  if (!isSshHost(host) || host.endpoint.hostKey !== undefined) return;
  await openStateFolder(root);
  const connections = new Connections({ stateDir: join(root, stateFolderName) });
  const { json = false, yes = false, hostKey = [] } = flags;
  const terminal = new ConsoleTerminal({ json, yes, redactor: new Redactor(), signal });
  try {
    if (hostKey.length > 0 || (await connections.acceptedHostKeys(host)).length === 0) {
      await firstContact({ connections, terminal }, host, hostKey);
    }
  } finally {
    await connections.close();
  }
}

/** Gives an environment another time from now on, and changes nothing else of it. Throws LockageError. */
async function giveTime({ root, name, ttl, flags }: Asked, signal: AbortSignal): Promise<void> {
  const { release, on, secrets, scale, plan } = flags;
  const needless = Object.entries({ release, on, secrets, scale, plan }).find(([, value]) => value !== undefined);
  if (ttl === undefined || needless) {
    const what = needless ? `--${needless[0]} is for what ${name} is made from` : `what is ${name} made from?`;
    throw new LockageError(what, {
      hint: `Run \`lockage env up ${name} --from ENVIRONMENT\`; \`lockage env up ${name} --ttl 8h\` alone gives it more time.`,
    });
  }
  if (!(await findReproduction(process.cwd(), name))) throw unknown(name);
  await withReproductionLock(root, name, () => prolong(name, ttl, flags, signal), { ...waitOf(flags), signal });
}

async function prolong(name: string, ttl: number, flags: Flags, signal: AbortSignal): Promise<void> {
  const there = await present(name);
  if (!there) throw unknown(name);
  const { found, life } = there;
  if (!life) throw new LockageError(`${name} is a reproduction that stays`);
  const reproduction = { ...found.reproduction, time: timeFrom(life.now, ttl) };
  const { until } = reproduction.time;
  await runIn(await openReproduction(found, flags, signal), async ({ reaper, terminal }) => {
    await reaper.ensure(name, until);
    await writeReproduction({ folder: found.folder, reproduction });
    const urls = urlsOf(reproduction);
    const lines = timeLines(reproduction).map((line) => `${name} is there ${line}`);
    const shown = { outcome: 'prolonged', environment: name, until: untilOf({ until }), urls };
    terminal.result(shown, [...lines, ...urlLines(reproduction)]);
  });
}

function unknown(name: string): LockageError {
  return new LockageError(`there is no environment ${name}`, {
    hint: '`lockage env ls` lists those with a time; `lockage env up NAME --from ENVIRONMENT` makes one.',
  });
}
