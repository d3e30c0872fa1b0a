import { LockageError } from '../errors.ts';
import { secretsOf, type RecordedRevision } from '../model/recorded-revision.ts';
import { platformsOf, type Release } from '../model/release.ts';
import type { Reproduction, ReproductionData, ReproductionTime, SecretOrigin } from '../model/reproduction.ts';
import type { Host } from '../model/target.ts';
import { didYouMean } from '../text/suggest.ts';
import { chosenData } from './reproduced-data.ts';

/** Everything that a reproduction is decided from. */
export interface ReproductionInputs {
  readonly of: RecordedRevision;
  readonly name: string;
  readonly host: Host;
  readonly engine: HereFacts;
  /** role → number of its containers, as the operator says */
  readonly scale: Readonly<Record<string, number>>;
  /** how the secrets that have a value got it */
  readonly secrets: Readonly<Record<string, SecretOrigin>>;
  /** accessory → the data that it is asked to begin with */
  readonly data?: Readonly<Record<string, ReproductionData>>;
  /** absent: it stays until it is destroyed */
  readonly time?: ReproductionTime;
  /** the reproduction that has the name already */
  readonly before?: Reproduction;
}

/** The facts of the engine at hand that count for what can run on it. */
export interface HereFacts {
  /** `linux/amd64` */
  readonly platform: string;
  /** the release’s digest has an image for that platform, whichever the original runs */
  readonly isNative?: boolean;
  /** the other platforms that it emulates */
  readonly emulates: readonly string[];
  /** public port → who has it */
  readonly taken: ReadonlyMap<number, string>;
}

/** The longest name of an environment. */
const longestName = 40;

/** Returns the name of a reproduction that was given none: `prod-here`. Throws LockageError where that is no name. */
export function reproductionName(environment: string, given?: string, hint = 'Name it with `--as NAME`.'): string {
  const name = given ?? `${environment}-here`;
  const isTaken = /-(?:foundation|machines)$/.test(name) || ['releases', 'machine-images', 'archives'].includes(name);
  if (/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(name) && name.length <= longestName && !isTaken) return name;
  throw new LockageError(`${JSON.stringify(name)} cannot be the name of an environment`, {
    details: [
      isTaken
        ? 'that is a name of Lockage’s own records'
        : `allowed are lower-case letters, digits and inner hyphens, at most ${longestName} characters`,
    ],
    hint,
  });
}

/**
 * Decides how a recorded revision runs on one engine: where its public ports are, how many containers it has, and whether its
 * images are emulated. What runs there already keeps its ports. Throws LockageError (refused) for what cannot run here.
 */
export function planReproduction(inputs: ReproductionInputs): Reproduction {
  const { of, name, host, scale, secrets, time, before } = inputs;
  const data = chosenData(name, inputs.data ?? {}, before);
  refuseOther(inputs);
  refuseUnknownRoles(of, scale);
  const { isNative = false, platform } = inputs.engine;
  const emulates = isNative ? undefined : emulationOf(inputs);
  const needed = new Set(secretsOf(of));
  return {
    ...{ name, of, host },
    ports: portsOf(inputs),
    counts: { ...knownCounts(of, before), ...scale },
    ...(emulates === undefined ? {} : { emulates }),
    ...(isNative && platform !== of.release.platform ? { platform } : {}),
    secrets: Object.fromEntries(Object.entries(secrets).filter(([secret]) => needed.has(secret))),
    ...(Object.keys(data).length > 0 ? { data } : {}),
    ...(time ? { time } : {}),
  };
}

/** Returns the release that a reproduction runs: of several platforms under one digest, the engine’s own. */
export function reproducedRelease({ of: { release }, platform }: Pick<Reproduction, 'of' | 'platform'>): Release {
  if (platform === undefined) return release;
  // The others that are recorded need not be all that the registry has.
  const { platforms: _, ...one } = release;
  return { ...one, platform };
}

/** Refuses to take a name that something else has. */
function refuseOther({ of, name, before, host, time }: ReproductionInputs): void {
  if (!before) return;
  const isOther = before.of.app !== of.app || before.of.environment !== of.environment;
  const isElsewhere = before.host.endpoint.url !== host.endpoint.url;
  const isOfOtherKind = (before.time === undefined) !== (time === undefined);
  if (!isOther && !isElsewhere && !isOfOtherKind) return;
  const what = isOther
    ? `${name} reproduces ${before.of.environment} of ${before.of.app}`
    : isElsewhere
      ? `${name} runs on another engine: ${before.host.endpoint.url}`
      : `${name} is ${before.time ? 'an environment with a time' : 'a reproduction that stays'}`;
  const another = time ? '' : ' with `--as NAME`';
  throw new LockageError(what, {
    hint: `Give this one another name${another}, or remove that one with \`${removalCommand(before)}\`.`,
  });
}

/** Returns the command that removes a reproduction. */
export function removalCommand({ name, time }: Reproduction): string {
  return time ? `lockage env down ${name}` : `lockage destroy ${name}`;
}

function refuseUnknownRoles({ containers, environment }: RecordedRevision, scale: ReproductionInputs['scale']): void {
  const roles = [...new Set(containers.map(({ role }) => role))];
  const unknown = Object.keys(scale).find((role) => !roles.includes(role));
  if (unknown === undefined) return;
  throw new LockageError(`${environment} has no role ${unknown}${didYouMean(unknown, roles)}`, {
    details: [`there are ${roles.join(', ')}`],
  });
}

function knownCounts({ containers }: RecordedRevision, before: Reproduction | undefined): Record<string, number> {
  const roles = new Set(containers.map(({ role }) => role));
  return Object.fromEntries(Object.entries(before?.counts ?? {}).filter(([role]) => roles.has(role)));
}

/** Returns the platform to be emulated; undefined where the engine runs it as it is. */
function emulationOf({ of: { release, environment }, engine }: ReproductionInputs): string | undefined {
  const { platform, emulates } = engine;
  if (platform === release.platform) return undefined;
  const built = platformsOf(release);
  const found = built.find((each) => emulates.includes(each));
  if (found !== undefined) return found;
  throw new LockageError(`${environment} runs images for ${built.join(', ')}, and the engine here is ${platform}`, {
    details: ['it emulates no other platform, as far as can be told'],
    hint: `Reproduce it on a computer of that platform, or install emulation for it (\`qemu-user-static\` on Debian).`,
  });
}

/**
 * Returns the public port here of each of the original: its own where that is free, else the next one that is. Below 1024 that
 * is one of the customary ones above 8000: on many computers, not everybody may open the others.
 */
function portsOf({ of, engine: { taken }, before }: ReproductionInputs): Record<string, number> {
  const ports: Record<string, number> = {};
  const isFree = (port: number) => !taken.has(port) && !Object.values(ports).includes(port);
  for (const original of publicPorts(of)) {
    const port = before?.ports[original] ?? choicesOf(original).find(isFree);
    if (port === undefined) {
      throw new LockageError(`no port is free here in place of ${original}`, {
        details: [`tried were ${choicesOf(original).join(', ')}`],
      });
    }
    ports[original] = port;
  }
  return ports;
}

/** Returns the ports that a reproduction may come to have, all of which have to be known as free or taken. */
export function portsInQuestion(of: RecordedRevision): number[] {
  return [...new Set(publicPorts(of).flatMap(choicesOf))];
}

function publicPorts({ containers }: RecordedRevision): number[] {
  const ports = containers.flatMap(({ route }) => (route ? [route.publish] : []));
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** How many ports besides its own may take a port's place. */
const otherPorts = 40;

function choicesOf(original: number): number[] {
  const next = original < 1024 ? original + 8000 : original + 1;
  const others = Array.from({ length: otherPorts }, (_, index) => next + index);
  return [original, ...others.filter((port) => port <= 65_535)];
}
