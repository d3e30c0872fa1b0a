import { setTimeout as sleep } from 'node:timers/promises';
import { secretsPath } from '../../../pipelines/model/container-spec.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { ProviderContext } from '../../context/provider-context.ts';
import type { ContainerBody, ContainerDetails, Engine } from '../../docker/api/client.ts';
import { labels } from '../../docker/labels.ts';
import type { AccessoryInputs } from '../../resources/inputs.ts';
import { runsFor } from '../runs-for.ts';
import { dnsOf, extraHosts, logConfig, restartPolicies, ulimitList } from '../container/create-request.ts';
import { lastLogLines } from '../last-lines.ts';
import { accessoryHint } from '../log-hints.ts';
import { volumeMount } from '../secret-volume.ts';
import {
  ensureStanding,
  removeStanding,
  standingLabels,
  type StandingContainer,
  type Waiting,
} from './standing-container.ts';

/** Milliseconds that an accessory gets to end: databases write what they have first. */
export const accessoryGrace = 30_000;
/** Milliseconds that one without a health check has to run. */
const steadyFor = 5000;
/** Milliseconds until an accessory works, where its configuration does not say. */
const defaultTimeout = 60_000;
/** How often one with a health check may be restarted before it is given up. */
const mostRestarts = 3;

/** The settings of an accessory, besides where and how its host has its image. */
export type AccessorySetting = Omit<AccessoryInputs, 'image' | 'configured' | 'spec' | 'again' | 'leaves'>;

/** Returns the name of an accessory's container. */
export function accessoryName({
  app,
  environment,
  name,
}: Pick<AccessoryInputs, 'app' | 'environment' | 'name'>): string {
  return `${app}-${environment}-${name}`;
}

/** Makes an accessory what it has to be. Throws LockageError. */
export async function ensureAccessory(context: ProviderContext, inputs: AccessoryInputs): Promise<void> {
  await ensureStanding(context, standingAccessory(inputs));
}

/** Returns an accessory as it has to be on its host. */
export function standingAccessory(inputs: AccessoryInputs): StandingContainer {
  const { app, environment, host, image, spec } = inputs;
  const name = accessoryName(inputs);
  const body = {
    ...accessoryBody(inputs),
    Labels: { ...standingLabels(inputs, 'accessory', inputs), [labels.role]: inputs.name },
  };
  return {
    ...{ app, environment, host, what: `accessory ${inputs.name}`, name, image, body, spec, grace: accessoryGrace },
    keepsVolumes: true,
    works: (engine, waiting) => untilAccessoryWorks(engine, name, inputs.health?.timeout, waiting),
    isAlike: (engine, found) => isAlike(engine, found, body, inputs),
  };
}

/** Removes it. Its data stays. */
export async function removeAccessory(context: ProviderContext, inputs: AccessoryInputs): Promise<void> {
  await removeStanding(context, inputs, { name: accessoryName(inputs), grace: accessoryGrace, keepsVolumes: true });
}

/** Returns the hash of an accessory. */
export function accessorySpecOf(setting: AccessorySetting): string {
  return fingerprint({ image: setting.pinned, body: accessoryBody(setting) });
}

function accessoryBody(setting: AccessorySetting): ContainerBody {
  const { network } = environmentNames(setting.app, setting.environment);
  const { command, env, secrets, volumes, publish, memory, cpus, shmSize, init, log, health } = setting;
  const limits = ulimitList(setting.ulimits);
  const port = `${publish?.port}/tcp`;
  return {
    ...(command ? { Cmd: [...command] } : {}),
    Env: [
      ...Object.entries(env).map(([key, value]) => `${key}=${value}`),
      ...(secrets?.names ?? []).map((secret) => `${secret}_FILE=${secretsPath}/${secret}`),
    ],
    ...(publish ? { ExposedPorts: { [port]: {} } } : {}),
    ...(health ? { Healthcheck: healthcheck(health) } : {}),
    ...(setting.stopSignal === undefined ? {} : { StopSignal: setting.stopSignal }),
    StopTimeout: accessoryGrace / 1000,
    HostConfig: {
      NetworkMode: network,
      ...extraHosts({ ...setting.extraHosts, ...setting.neighbours }),
      ...dnsOf(setting.dns),
      ...(limits.length === 0 ? {} : { Ulimits: limits }),
      ...(publish ? { PortBindings: { [port]: [{ HostIp: publish.address, HostPort: String(publish.port) }] } } : {}),
      Mounts: [
        ...Object.entries(volumes).map(([Source, Target]) => ({ Type: 'volume', Source, Target })),
        ...(secrets ? [{ ...volumeMount(secrets.volume, secretsPath), ReadOnly: true }] : []),
      ] as never,
      Memory: wholeMegabytes(memory),
      MemorySwap: wholeMegabytes(memory),
      ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
      ...(shmSize === undefined ? {} : { ShmSize: shmSize }),
      ...(init === undefined ? {} : { Init: init }),
      LogConfig: logConfig(30 * 2 ** 20, log),
      SecurityOpt: ['no-new-privileges'],
      RestartPolicy: restartPolicies.serves,
    },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [setting.name] } } },
  };
}

/**
 * Returns the health check. It is asked for as long as the accessory lives, so not more often than a person who waits
 * for the first answer needs.
 */
function healthcheck({ command }: NonNullable<AccessoryInputs['health']>) {
  return { Test: ['CMD', ...command], Interval: 3e9, Timeout: 5e9, Retries: 40 };
}

function wholeMegabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20) * 2 ** 20;
}

/**
 * Waits until an accessory works: the health check that it was made with succeeds, or it has run for some seconds where it has
 * none. Throws LockageError with its last lines when it does not, or is restarted time after time.
 */
export async function untilAccessoryWorks(
  engine: Engine,
  name: string,
  timeout = defaultTimeout,
  { signal, mask }: Partial<Waiting> = {},
): Promise<void> {
  const end = performance.now() + timeout;
  const fail = async ({ State }: ContainerDetails, how: string) => {
    const lines = await lastLogLines(engine, name, mask);
    return failure(`${engine.host}: ${name} ${how}`, { name, lines, outOfMemory: State.OOMKilled });
  };
  const first = await engine.inspectContainer(name);
  for (;;) {
    const now = await engine.inspectContainer(name);
    if (!now) throw new LockageError(`${engine.host}: ${name} is gone`);
    const check = checkOf(now);
    if (await doesWork(engine, name, now, check)) return;
    const restarts = now.RestartCount - (first?.RestartCount ?? 0);
    if (restarts >= (check ? mostRestarts : 1)) {
      throw await fail(now, `ended and was restarted ${restarts} times`);
    }
    if (!now.State.Running) throw await fail(now, `ended with exit code ${now.State.ExitCode}`);
    if (performance.now() > end) throw await fail(now, `did not become healthy within ${timeout / 1000} s`);
    await sleep(250, undefined, { signal });
  }
}

/** Returns the health check of a container, its image's own one too; undefined where it has none. */
function checkOf({ Config }: ContainerDetails): string[] | undefined {
  const [kind, ...words] = Config.Healthcheck?.Test ?? [];
  if (kind === 'CMD') return words;
  return kind === 'CMD-SHELL' ? ['sh', '-c', ...words] : undefined;
}

async function doesWork(
  engine: Engine,
  name: string,
  { State }: ContainerDetails,
  check: readonly string[] | undefined,
): Promise<boolean> {
  if (!State.Running || State.Restarting) return false;
  if (!check) return (await runsFor(engine, State)) >= steadyFor;
  const { code } = await engine.exec(name, check, { deadline: 5000 }).catch(() => ({ code: -1 }));
  if (code !== 0) return false;
  // What answered may have ended right after.
  return (await engine.inspectContainer(name))?.State.StartedAt === State.StartedAt;
}

function failure(
  what: string,
  {
    name,
    lines,
    outOfMemory,
  }: { readonly name: string; readonly lines: readonly string[]; readonly outOfMemory: boolean },
): LockageError {
  const hint = accessoryHint([...(outOfMemory ? ['out of memory'] : []), ...lines]);
  return new LockageError(what, {
    details: [
      ...(hint === undefined ? [] : [hint]),
      `last log lines of ${name}:`,
      ...(lines.length > 0 ? lines : ['(none)']).map((line) => `  ${line}`),
    ],
  });
}

/**
 * Returns whether a container is what is wanted. Those that were made before hashes were noted are told by what they
 * are made of.
 */
async function isAlike(
  engine: Engine,
  found: ContainerDetails,
  body: ContainerBody,
  { image, log }: Pick<AccessoryInputs, 'image' | 'log'>,
): Promise<boolean> {
  const wanted = await engine.inspectImage(image);
  const { Config, HostConfig, Mounts } = found;
  const mounted = new Map(Mounts.map(({ Name = '', Destination }) => [Destination, Name]));
  const bound = (ports: Record<string, unknown> | undefined) => JSON.stringify(ports ?? {});
  return (
    found.Image === wanted?.Id &&
    (body.Env ?? []).every((line) => Config.Env.includes(line)) &&
    (body.Cmd === undefined || JSON.stringify(body.Cmd) === JSON.stringify(Config.Cmd)) &&
    (body.HostConfig?.Mounts ?? []).every(({ Source, Target }) => mounted.get(Target) === Source) &&
    bound(body.HostConfig?.PortBindings as never) === bound(HostConfig.PortBindings as never) &&
    body.HostConfig?.Memory === HostConfig.Memory &&
    (body.HostConfig?.NanoCpus ?? 0) === (HostConfig.NanoCpus ?? 0) &&
    (body.HostConfig?.ShmSize ?? HostConfig.ShmSize) === HostConfig.ShmSize &&
    (body.HostConfig?.Init ?? HostConfig.Init) === HostConfig.Init &&
    (!log || body.HostConfig?.LogConfig?.Type === HostConfig.LogConfig?.Type) &&
    JSON.stringify(body.Healthcheck?.Test ?? []) ===
      JSON.stringify(Config.Healthcheck?.Test ?? body.Healthcheck?.Test ?? [])
  );
}
