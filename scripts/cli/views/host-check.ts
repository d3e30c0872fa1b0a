import type { HostFacts } from '../../../infra/hosts/facts.ts';
import { differenceText, type Difference } from '../../../pipelines/hosts/parity.ts';
import type { Trait } from '../../../pipelines/model/host-traits.ts';
import { colors } from '../../tools/colors.ts';
import { bytesText, durationText, table } from '../../tools/format.ts';

/** The answer of a host, or the reason why there is none. */
export type CheckedHost =
  | { readonly name: string; readonly facts: HostFacts; readonly error?: never }
  | { readonly name: string; readonly facts?: never; readonly error: string };

export interface CheckedEnvironment {
  readonly name: string;
  readonly hosts: readonly CheckedHost[];
  /** cordoned, and not asked */
  readonly cordoned: readonly string[];
  /** traits in which its hosts differ from each other */
  readonly differences: readonly Difference[];
  /** traits in which they differ from the environments directly before it */
  readonly before: readonly {
    readonly environment: string;
    readonly differences: readonly Difference[];
    /** hosts there that did not answer */
    readonly silent: readonly string[];
  }[];
  /** traits that have to be the same for a promotion */
  readonly demanded: readonly Trait[];
}

/**
 * The largest clock difference that is not highlighted, ms: logs and records of several machines are read side by side.
 */
const muchSkew = 2000;
const littleDisk = 2e9;

/** Shows environments, host by host, with their differences; `only`: the facts of this host alone. */
export function hostCheckLines(environments: readonly CheckedEnvironment[], only?: string): string[] {
  return environments.flatMap((environment, index) => [
    ...(index === 0 ? [] : ['']),
    colors.bold(environment.name),
    ...environment.hosts.filter(({ name }) => (only ?? name) === name).flatMap(hostLines),
    ...environment.cordoned.map((name) => `  ${colors.yellow('-')} ${name}  cordoned`),
    ...parityLines(environment),
    ...silentLine(environment),
  ]);
}

function hostLines(host: CheckedHost): string[] {
  if (host.facts === undefined) return [`  ${colors.red('✗')} ${host.name}  ${host.error}`];
  const rows = factRows(host.facts).map(([what, text]) => [`      ${colors.dim(what)}`, text]);
  return [`  ${colors.green('✓')} ${host.name}`, ...table(rows)];
}

/** Lists the facts of a host, each with a short name. */
export function factRows(facts: HostFacts): [what: string, text: string][] {
  const { platform, kernel = unknown(), traits, cpus, engine, api } = facts;
  return [
    ['machine', `${platform}, ${traits.os ?? unknown('system')}, kernel ${kernel}, ${cpus} CPUs`],
    ['memory', memoryText(facts)],
    ['disk', diskText(facts)],
    ['engine', `Docker ${engine} (API ${api}), ${traits.storage ?? unknown('storage')}, ${cgroupText(facts)}`],
    ['clock', clockText(facts)],
    ['images', imagesText(facts)],
  ];
}

function memoryText({ memory: { total, available } }: HostFacts): string {
  return available === undefined
    ? `${bytesText(total)}; available: ${unknown()}`
    : `${bytesText(available)} of ${bytesText(total)} available`;
}

function diskText({ disk, dataFolder }: HostFacts): string {
  if (!disk) return `${dataFolder}: ${unknown()} until an edge proxy runs there`;
  const text = `${bytesText(disk.free)} of ${bytesText(disk.total)} free in ${dataFolder}`;
  return disk.free < littleDisk ? colors.yellow(text) : text;
}

function cgroupText({ traits }: HostFacts): string {
  return traits.cgroup === undefined ? unknown('cgroup version') : `cgroup v${traits.cgroup}`;
}

function clockText({ clock }: HostFacts): string {
  if (!clock) return unknown();
  const { ahead, precision } = clock;
  const exact = colors.dim(`(± ${durationText(precision)})`);
  if (Math.abs(ahead) <= precision) return `as here ${exact}`;
  const text = `${durationText(Math.abs(ahead))} ${ahead > 0 ? 'ahead' : 'behind'}`;
  return `${Math.abs(ahead) > muchSkew ? colors.yellow(text) : text} ${exact}`;
}

function imagesText({ images: { present, missing, bytes } }: HostFacts): string {
  const releases = [
    ...(present.length > 0 ? [`has ${present.join(', ')}`] : []),
    ...(missing.length > 0 ? [`has not ${missing.join(', ')}`] : []),
  ];
  const all = `all images: ${bytes === undefined ? unknown() : bytesText(bytes)}`;
  return [...(releases.length > 0 ? releases : ['no release is retained']), all].join('; ');
}

function parityLines({ name, hosts, differences, before, demanded }: CheckedEnvironment): string[] {
  const mark = (trait: Trait) => (demanded.includes(trait) ? colors.red('✗') : colors.yellow('≠'));
  const lines = (list: readonly Difference[]) =>
    list.map((each) => `      ${mark(each.trait)} ${differenceText(each, name)}`);
  const answered = hosts.filter(({ facts }) => facts !== undefined).length;
  if (answered === 0) return [];
  const among = answered > 1 ? [`  its hosts are ${alike(differences)}`, ...lines(differences)] : [];
  const from = before.flatMap(({ environment, differences: found, silent }) => [
    `  compared with ${environment}: ${alike(found)}` +
      (silent.length > 0 ? colors.red(`, without ${silent.join(', ')}, which does not answer`) : ''),
    ...lines(found),
  ]);
  return [...among, ...from];
}

function alike(differences: readonly Difference[]): string {
  return differences.length === 0 ? colors.green('alike') : 'not alike';
}

function silentLine({ name, hosts }: CheckedEnvironment): string[] {
  const silent = hosts.filter(({ facts }) => facts === undefined);
  if (silent.length === 0) return [];
  const names = silent.map((host) => host.name).join(', ');
  return [colors.red(`  ${silent.length} of ${hosts.length} hosts of ${name} did not answer: ${names}`)];
}

function unknown(what?: string): string {
  return colors.dim(what === undefined ? 'unknown' : `${what} unknown`);
}
