import { setTimeout as sleep } from 'node:timers/promises';
import { namePattern } from '../../pipelines/config/schema/names.ts';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { ContainerBody, ContainerSummary, Engine } from '../docker/api/client.ts';
import { containerName } from '../docker/api/names.ts';
import { labels, ownerLabels, reaperPart } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';
import { logConfig, restartPolicies } from '../workloads/container/create-request.ts';
import { withHeldImage } from '../workloads/held-image.ts';
import { lastLogLines } from '../workloads/last-lines.ts';
import { removeOwn } from '../workloads/own-container.ts';
import { mountedSocket, reaperRequests, reaperScript } from './reaper-script.ts';

/** The time of an environment on its host, and what its end is made of. */
export interface Reaper extends Place {
  /** an image with Caddy and a shell that the host has: that of the environment's edge */
  readonly image: string;
  /** seconds since 1970, by the host's own clock */
  readonly deadline: number;
  /** the engine's socket as its own host knows it: that of a machine behind Docker Desktop is `/var/run/docker.sock` */
  readonly socketPath: string;
}

/** Milliseconds for a reaper to reach its engine. */
const answerTimeout = 30_000;

/**
 * Makes a container on an environment's host that removes everything of the environment at the deadline, its data and itself too,
 * whoever's computer is on by then. One that is there already is left alone. Another deadline is another container, which works
 * before the one of before goes. Safe to repeat after a kill at any moment. Throws LockageError: on a swarm, when the time that it
 * had is over, and when the new one cannot reach its engine, where that of before stays.
 */
export async function ensureReaper(engine: Engine, wanted: Reaper): Promise<void> {
  check(wanted);
  const { SystemTime, Swarm } = await engine.info();
  if ((Swarm?.LocalNodeState ?? 'inactive') !== 'inactive') throw swarmError(engine.host, wanted.environment);
  const body = reaperBody(wanted);
  const name = reaperName(wanted, body);
  const found = await reapersOn(engine, wanted);
  const others = found.filter((each) => containerName(each) !== name);
  if (found.some((each) => containerName(each) === name && each.State === 'running')) {
    await untilWorks(engine, wanted, name);
  } else {
    refuseOver(engine, wanted, others, SystemTime);
    await make(engine, { wanted, name, body, others });
  }
  for (const { Id } of others) await engine.removeContainer(Id, { force: true });
}

/** Returns the deadline at which an environment goes by itself, in seconds since 1970; undefined when it stays. */
export async function reaperOf(engine: Engine, place: Place): Promise<number | undefined> {
  const deadlines = (await reapersOn(engine, place)).filter(works).map(deadlineOf).filter(Number.isSafeInteger);
  return deadlines.length === 0 ? undefined : Math.max(...deadlines);
}

/** Lets an environment stay. Whatever was removed by then is gone. */
export async function removeReaper(engine: Engine, place: Place): Promise<void> {
  for (const { Id } of await reapersOn(engine, place)) await engine.removeContainer(Id, { force: true });
}

/**
 * Returns the Engine API's create request for a reaper, without its image. Who has the engine's socket is root on the host; so it has
 * nothing else: no network, nothing that can be written, and no text of anybody in its script.
 */
export function reaperBody({ app, environment, deadline, socketPath }: Omit<Reaper, 'image'>): ContainerBody {
  const memory = 96 * 2 ** 20;
  return {
    Entrypoint: ['sh', '-c', reaperScript],
    Cmd: [],
    // The socket is root's.
    User: '0:0',
    Env: [
      `REAPER_DEADLINE=${deadline}`,
      `REAPER_REQUESTS=${reaperRequests({ app, environment })}`,
      `GOMEMLIMIT=${Math.floor(memory / 2)}`,
      'GOMAXPROCS=1',
    ],
    Labels: { ...ownerLabels(app, environment, reaperPart), [labels.deadline]: String(deadline) },
    Healthcheck: { Test: ['NONE'] },
    StopTimeout: 1,
    HostConfig: {
      NetworkMode: 'none',
      // Where the engine maps users, or SELinux keeps containers from sockets, it could not be reached.
      UsernsMode: 'host',
      SecurityOpt: ['no-new-privileges', 'label=disable'],
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      // The official image's Caddy carries it, and does not start where it cannot have it; no port is reached by anybody.
      CapAdd: ['CAP_NET_BIND_SERVICE'],
      Memory: memory,
      MemorySwap: memory,
      NanoCpus: 5e8,
      PidsLimit: 512,
      Ulimits: [{ Name: 'nofile', Soft: 4096, Hard: 4096 }],
      Init: true,
      Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=4m' },
      Mounts: [{ Type: 'bind', Source: socketPath, Target: mountedSocket, ReadOnly: true }] as never,
      RestartPolicy: restartPolicies.serves,
      LogConfig: logConfig(3 * 2 ** 20),
    },
  };
}

/** No container of a release, an edge or an accessory has a dot behind its environment's name. */
function reaperName({ app, environment, image }: Reaper, body: ContainerBody): string {
  return `${environmentNames(app, environment).network}.reaper-${fingerprint({ image, body })}`;
}

/** Throws TypeError: what names are made of was checked where it came from. */
function check({ app, environment, deadline, socketPath }: Reaper): void {
  if (![app, environment].every((name) => namePattern.test(name))) throw new TypeError('not a name');
  if (!Number.isSafeInteger(deadline) || deadline < 0) throw new TypeError(`${deadline} is no deadline`);
  if (!socketPath.startsWith('/')) throw new TypeError(`${socketPath} is no path of a socket`);
}

interface Change {
  readonly wanted: Reaper;
  readonly name: string;
  readonly body: ContainerBody;
  readonly others: readonly ContainerSummary[];
}

async function make(engine: Engine, { wanted, name, body, others }: Change): Promise<void> {
  await removeOwn(engine, wanted, name);
  try {
    await withHeldImage(engine, wanted.image, (Image) => engine.createContainer(name, { ...body, Image }));
    await engine.startContainer(name);
    // One whose time came before this was started may have begun; from here on the others wait.
    refuseOver(engine, wanted, others, (await engine.info()).SystemTime);
    await untilWorks(engine, wanted, name);
  } catch (error) {
    await removeOwn(engine, wanted, name).catch(() => undefined);
    const reason = messageOf(error);
    throw /bind source path does not exist/.test(reason) ? unreached(engine, wanted, [reason]) : error;
  }
}

/** Waits until a reaper has reached its engine. One whose time is over may be gone by then, with all it was made for. */
async function untilWorks(engine: Engine, wanted: Reaper, name: string): Promise<void> {
  const end = performance.now() + answerTimeout;
  for (;;) {
    const asked = engine.exec(name, ['test', '-e', '/tmp/works'], { deadline: 5000 });
    if ((await asked.catch(() => ({ code: -1 }))).code === 0) return;
    const found = await engine.inspectContainer(name);
    if (!found && isOver(wanted.deadline, (await engine.info()).SystemTime)) return;
    if (!found || performance.now() > end) throw unreached(engine, wanted, await lastLogLines(engine, name));
    await sleep(200);
  }
}

function unreached(engine: Engine, { environment, socketPath }: Reaper, details: readonly string[]): LockageError {
  const what = `nothing would remove ${environment} after its time: its engine is not reached there by ${socketPath}`;
  return new LockageError(`${engine.host}: ${what}`, {
    details,
    hint: `See with \`ls -l ${socketPath}\` on ${engine.host} whether its engine listens there.`,
  });
}

function refuseOver(engine: Engine, { environment }: Place, reapers: readonly ContainerSummary[], now: string): void {
  if (!reapers.some((each) => works(each) && isOver(deadlineOf(each), now))) return;
  throw new LockageError(`${engine.host}: the time of ${environment} is over, and it is being removed`, {
    hint: 'Wait until nothing of it is left, then make it again.',
  });
}

/** Returns the error for an environment that could not go by itself. */
export function swarmError(host: string, environment: string): LockageError {
  return new LockageError(`${host}: ${environment} cannot go by itself, as its engine is part of a swarm`, {
    hint: 'Name a host whose engine is in no swarm, or remove the environment yourself when its time is over.',
  });
}

function isOver(deadline: number, now: string): boolean {
  return deadline * 1000 <= Date.parse(now);
}

function reapersOn(engine: Engine, { app, environment }: Place): Promise<ContainerSummary[]> {
  return engine.listContainers({ all: true, labels: ownerLabels(app, environment, reaperPart) });
}

function works({ State }: ContainerSummary): boolean {
  return State === 'running' || State === 'restarting';
}

function deadlineOf({ Labels }: ContainerSummary): number {
  return Number(Labels[labels.deadline]);
}
