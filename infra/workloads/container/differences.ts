import { canonicalJson, fingerprint } from '../../../pipelines/model/fingerprint.ts';
import type { ContainerBody, ContainerDetails, EngineInfo, ImageDetails } from '../../docker/api/client.ts';
import { withoutOwner } from './owned-folders.ts';

/** A member of a container that is not as it was asked for when it was made. */
export interface Difference {
  /** as the Engine API calls it: `HostConfig.Memory` */
  readonly member: string;
  /** JSON */
  readonly expected: string;
  /** JSON */
  readonly actual: string;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * Returns a request as a host can fulfil it: an engine whose kernel lacks a limit makes the container without it, and one
 * that runs without root keeps it in writing all the same.
 */
export function asHostAllows(body: ContainerBody, info: EngineInfo, found: ContainerDetails): ContainerBody {
  const { HostConfig: host = {} } = body;
  const kept = found.HostConfig as unknown as Members;
  const limits = {
    ...(info['MemoryLimit'] === false ? { Memory: 0 } : {}),
    ...(info['MemoryLimit'] === false || info['SwapLimit'] === false ? { MemorySwap: -1 } : {}),
    ...(info['PidsLimit'] === false ? { PidsLimit: 0 } : {}),
  };
  const asked = Object.entries(limits).filter(([name]) => {
    const limit = (host as Members)[name];
    return !isPlain(limit) && kept[name] !== limit;
  });
  return { ...body, HostConfig: { ...host, ...Object.fromEntries(asked) } };
}

/**
 * Returns how a container differs from one that is made now by the same request. Every member counts that an engine tells,
 * also those that the request leaves to the engine: whoever made or changed it by hand may have set them.
 */
export function differencesOf(body: ContainerBody, image: ImageDetails, found: ContainerDetails): Difference[] {
  // Which image it is says its identity: a host may have it under another name.
  const { Image: _, HostConfig: host = {}, NetworkingConfig: networks = {}, ...config } = body;
  return [
    ...compared('Config', asMade(config, image), found.Config, byEngine.config),
    ...(image.Id === found.Image ? [] : [difference('Image', image.Id, found.Image)]),
    ...compared('HostConfig', host as Members, found.HostConfig as unknown as Members, byEngine.host),
    ...networkDifferences(networks.EndpointsConfig ?? {}, found),
  ];
}

/** Members that an engine fills in by itself, from its own configuration; undefined: whatever it likes. */
const byEngine: { readonly config: Members; readonly host: Members } = {
  config: { Image: undefined, Hostname: undefined, OnBuild: undefined, Shell: undefined, ArgsEscaped: undefined },
  host: {
    ...{ ContainerIDFile: undefined, Runtime: undefined, Isolation: undefined, ConsoleSize: undefined },
    ...{ CgroupnsMode: undefined, MaskedPaths: undefined, ReadonlyPaths: undefined, MemorySwappiness: undefined },
    ...{ LogConfig: undefined, ShmSize: undefined },
    IpcMode: 'private',
  },
};

function compared(what: string, wanted: Members, found: Members, filledIn: Members): Difference[] {
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(found)])];
  return names
    .filter((name) => name in wanted || !(name in filledIn) || filledIn[name] !== undefined)
    .flatMap((name) => {
      const expected = isPlain(wanted[name]) ? filledIn[name] : wanted[name];
      const member = `${what}.${name}`;
      if (name === 'Env') return entryDifferences(member, hashedVariables(expected), hashedVariables(found[name]));
      const [should, is] = [comparable(name, expected), comparable(name, asAskedFor(name, expected, found[name]))];
      if (isMap(should) && isMap(is)) return entryDifferences(member, should, is);
      // Whose a container is shows by a label: also where one has none at all.
      if (name === 'Labels') return entryDifferences(member, asMap(should), asMap(is));
      return canonicalJson(should) === canonicalJson(is) ? [] : [difference(member, should, is)];
    });
}

/** Each entry for itself: of thirty variables one was changed. */
function entryDifferences(member: string, expected: Members, actual: Members): Difference[] {
  return [...new Set([...Object.keys(expected), ...Object.keys(actual)])]
    .filter((key) => canonicalJson(expected[key]) !== canonicalJson(actual[key]))
    .map((key) => difference(`${member}.${key}`, expected[key] ?? null, actual[key] ?? null));
}

/** Values may be secrets that somebody put there by hand: their hashes tell that they differ. */
function hashedVariables(variables: unknown): Members {
  const pairs = ((variables ?? []) as readonly string[]).map((each) => {
    const [name = '', ...value] = each.split('=');
    return [name, `#${fingerprint(value.join('='))}`] as const;
  });
  return Object.fromEntries(pairs);
}

function isMap(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asMap(value: unknown): Members {
  return isMap(value) ? value : {};
}

/** A found value without what an engine adds to it from its own configuration: limits of processes, options of logs. */
function asAskedFor(name: string, expected: unknown, found: unknown): unknown {
  if (name === 'Ulimits') return limitsAmong(expected, found);
  if (name === 'IpcMode') return expected === 'private' && found === 'shareable' ? expected : found;
  if (name !== 'LogConfig' || !isMap(expected) || !isMap(found)) return found;
  const asked = asMap(expected['Config']);
  const options = Object.entries(asMap(found['Config'])).filter(([option]) => option in asked);
  return { ...found, Config: Object.fromEntries(options) };
}

function limitsAmong(expected: unknown, found: unknown): unknown {
  const namesIn = (value: unknown) => (Array.isArray(value) ? value.map((each) => asMap(each)) : []);
  const asked = new Set(namesIn(expected).map(({ Name }) => Name));
  return namesIn(found).filter(({ Name }) => asked.has(Name));
}

function difference(member: string, expected: unknown, actual: unknown): Difference {
  return { member, expected: canonicalJson(expected), actual: canonicalJson(actual) };
}

/** The configuration of a container as an engine makes it: some of what a request does not say comes from the image. */
function asMade(config: Members, { Config: image }: ImageDetails): Members {
  const from = image as unknown as Members;
  // A command of the image belongs to its entry point.
  const members = isPlain(config['Entrypoint']) ? [...inherited, 'Cmd'] : inherited;
  const own = (name: string) => (isPlain(config[name]) ? from[name] : config[name]);
  const both = (name: string) => ({ ...(from[name] as object | null), ...(config[name] as object | undefined) });
  return {
    ...config,
    ...Object.fromEntries(members.map((name) => [name, own(name)])),
    ...Object.fromEntries(['Labels', 'ExposedPorts', 'Volumes'].map((name) => [name, both(name)])),
    Healthcheck: checkOf(asMap(config['Healthcheck']), asMap(from['Healthcheck'])),
    Env: variablesOf(from['Env'], config['Env']),
  };
}

const inherited = ['User', 'WorkingDir', 'Entrypoint', 'StopSignal'];

/** Each part of a health check that is not asked for is that of the image. */
function checkOf(asked: Members, image: Members): Members {
  const set = Object.entries(asked).filter(([, part]) => !isPlain(part));
  return { ...image, ...Object.fromEntries(set) };
}

/** The variables of a request, and those of the image that it does not set. */
function variablesOf(image: unknown, own: unknown): string[] {
  const given = (own ?? []) as readonly string[];
  const names = new Set(given.map((each) => each.split('=')[0]));
  return [...given, ...((image ?? []) as readonly string[]).filter((each) => !names.has(each.split('=')[0] ?? ''))];
}

/** Engines leave members out, or say null, zero, false or nothing: all mean that nobody has set it. */
function isPlain(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.values(value).every(isPlain);
}

/** A value without what nobody has set; lists without an order are sorted. */
function comparable(name: string, value: unknown): unknown {
  if (isPlain(value)) return null;
  if (Array.isArray(value)) {
    const all = value.map((each) => comparable(name, normalised(name, each)));
    return ordered.has(name) ? all : all.toSorted((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
  }
  if (typeof value !== 'object') return value;
  const set = Object.entries(value as Members).filter(([, member]) => !isPlain(member));
  if (name === 'Tmpfs') return Object.fromEntries(set.map(([path, options]) => [path, withoutOwner(String(options))]));
  return Object.fromEntries(set.map(([key, member]) => [key, comparable(key, member)]));
}

const ordered = new Set(['Cmd', 'Entrypoint', 'Dns', 'DnsSearch', 'Test']);

/** Engines of some versions write a capability with its prefix, whatever was asked for. */
function normalised(name: string, value: unknown): unknown {
  if ((name === 'CapAdd' || name === 'CapDrop') && typeof value === 'string') return value.replace(/^CAP_/, '');
  return value;
}

/** A container is on the networks that it was made for, under its names and no others. Engines add its own name and identity to these. */
function networkDifferences(
  wanted: Readonly<Record<string, { readonly Aliases?: readonly string[] | null | undefined }>>,
  container: ContainerDetails,
): Difference[] {
  const found = container.NetworkSettings.Networks;
  const expected = Object.keys(wanted).sort();
  const actual = Object.keys(found).sort();
  const renamed = Object.entries(wanted).flatMap(([network, { Aliases }]) =>
    network in found ? aliasDifferences(network, Aliases ?? [], container) : [],
  );
  return canonicalJson(expected) === canonicalJson(actual)
    ? renamed
    : [difference('Networks', expected, actual), ...renamed];
}

function aliasDifferences(network: string, wanted: readonly string[], found: ContainerDetails): Difference[] {
  const { Id, Name, Config, NetworkSettings } = found;
  const names: readonly string[] = NetworkSettings.Networks[network]?.Aliases ?? [];
  const own = new Set([...wanted, Id.slice(0, 12), Config.Hostname, Name.replace(/^\//, '')]);
  const isLost = wanted.some((alias) => !names.includes(alias));
  const isMore = names.some((alias) => !own.has(alias));
  return isLost || isMore ? [difference(`Networks.${network}.Aliases`, wanted, names)] : [];
}
