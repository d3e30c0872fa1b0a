import { canonicalJson, fingerprint } from '../../../pipelines/model/fingerprint.ts';
import type { ContainerBody, ContainerDetails, ImageDetails } from '../../docker/api/client.ts';

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
    ...networkDifferences(networks.EndpointsConfig ?? {}, found.NetworkSettings.Networks),
  ];
}

/** Members that an engine fills in by itself, and what it says there; undefined: whatever it likes. */
const byEngine: { readonly config: Members; readonly host: Members } = {
  config: { Image: undefined, Hostname: undefined, OnBuild: undefined, Shell: undefined, ArgsEscaped: undefined },
  host: {
    ...{ ContainerIDFile: undefined, Runtime: undefined, Isolation: undefined, ConsoleSize: undefined },
    ...{ CgroupnsMode: undefined, MaskedPaths: undefined, ReadonlyPaths: undefined, MemorySwappiness: undefined },
    LogConfig: undefined,
    IpcMode: 'private',
    ShmSize: 64 * 2 ** 20,
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
      const [should, is] = [comparable(name, expected), comparable(name, found[name])];
      if (isMap(should) && isMap(is)) return entryDifferences(member, should, is);
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
    Env: variablesOf(from['Env'], config['Env']),
  };
}

const inherited = ['User', 'WorkingDir', 'Entrypoint', 'StopSignal', 'Healthcheck'];

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
  return Object.fromEntries(set.map(([key, member]) => [key, comparable(key, member)]));
}

const ordered = new Set(['Cmd', 'Entrypoint', 'Dns', 'DnsSearch', 'Test']);

/** Engines of some versions write a capability with its prefix, whatever was asked for. */
function normalised(name: string, value: unknown): unknown {
  if ((name === 'CapAdd' || name === 'CapDrop') && typeof value === 'string') return value.replace(/^CAP_/, '');
  return value;
}

/** A container is on the networks that it was made for, under its names. Engines add its own name and identity to these. */
function networkDifferences(
  wanted: Readonly<Record<string, { readonly Aliases?: readonly string[] | null | undefined }>>,
  found: ContainerDetails['NetworkSettings']['Networks'],
): Difference[] {
  const expected = Object.keys(wanted).sort();
  const actual = Object.keys(found).sort();
  const lost = Object.entries(wanted).flatMap(([network, { Aliases }]) =>
    (Aliases ?? [])
      .filter((alias) => network in found && !(found[network]?.Aliases ?? []).includes(alias))
      .map((alias) => difference(`Networks.${network}.Aliases`, alias, found[network]?.Aliases ?? [])),
  );
  return canonicalJson(expected) === canonicalJson(actual) ? lost : [difference('Networks', expected, actual), ...lost];
}
