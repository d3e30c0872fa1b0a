/*
 * What an image is made of, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json): read from the databases that package managers
 * leave in it. What was copied in without one is not known.
 */
import { LockageError } from '../../errors.ts';
import type { Release } from '../release.ts';
import type { Predicate } from './statement.ts';

/** A package that is installed in an image. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** package URL (https://github.com/package-url/purl-spec) */
  readonly purl: string;
}

/** The packages of an image, and the program that found them. */
export interface FoundPackages {
  readonly packages: readonly InstalledPackage[];
  readonly tool: { readonly name: string; readonly version?: string };
}

/** Paths of an image, from its root, that packages are read from. */
const sources: readonly { readonly path: RegExp; readonly read: (text: string, system: string) => Found[] }[] = [
  { path: /^var\/lib\/dpkg\/status(\.d\/[^/]+)?$/, read: debian },
  { path: /^(usr\/)?lib\/apk\/db\/installed$/, read: alpine },
  { path: /(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/, read: npm },
  { path: /\.dist-info\/METADATA$/, read: python },
];

/** The file that says which distribution an image is of. */
const release = /^(etc|usr\/lib)\/os-release$/;

/** What is found in one file; a field that is missing there is undefined. */
interface Found {
  readonly type: string;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly architecture?: string | undefined;
}

/** bytes of a file that is read; a database of thousands of packages is smaller */
export const longestSource = 32 * 1024 * 1024;
/** what fits into a statement; a bill that left some out says so */
const mostPackages = 5000;
const longestField = 200;
const longestUrl = 500;

/** Returns whether packages are read from a path of an image. */
export function isSource(path: string): boolean {
  return release.test(path) || sources.some((source) => source.path.test(path));
}

/** Returns the packages that the files of an image tell of, each once, in the order of their names. */
export function packagesIn(files: ReadonlyMap<string, string>): readonly InstalledPackage[] {
  const system = [...files].flatMap(([path, text]) =>
    release.test(path) ? [/^ID="?([a-z0-9._-]+)"?$/m.exec(text)?.[1]] : [],
  )[0];
  const found = [...files].flatMap(([path, text]) =>
    sources.filter((source) => source.path.test(path)).flatMap(({ read }) => read(text, system ?? 'linux')),
  );
  const packages: InstalledPackage[] = [];
  for (const { type, name, version, architecture } of found) {
    if (!isField(name) || !isField(version)) continue;
    const arch = isField(architecture) ? `?arch=${encodeURIComponent(architecture)}` : '';
    const purl = `pkg:${type}/${name.split('/').map(encodeURIComponent).join('/')}@${encodeURIComponent(version)}${arch}`;
    packages.push({ name, version, purl });
  }
  return inOrder(packages);
}

/**
 * Returns the packages that a CycloneDX document of another program tells of, as `packagesIn` does, and that program. What has no
 * package URL, as a file, is none. Throws LockageError for what is no such document.
 */
export function packagesInBill(text: string): FoundPackages {
  const bill = documentIn(text);
  if (bill?.['bomFormat'] !== 'CycloneDX') throw new LockageError('a bill of materials is no CycloneDX document');
  const packages = partsIn(bill['components']).flatMap(({ name, version, purl }): InstalledPackage[] =>
    isField(name) && isField(version) && isField(purl, longestUrl) && purl.startsWith('pkg:')
      ? [{ name, version, purl }]
      : [],
  );
  const tools = (bill['metadata'] as { tools?: { components?: unknown } } | null | undefined)?.tools;
  const [tool] = partsIn(tools?.components);
  const name = isField(tool?.['name']) ? tool['name'] : 'unknown';
  const version = isField(tool?.['version']) ? { version: tool['version'] } : {};
  return { packages: inOrder(packages), tool: { name, ...version } };
}

function documentIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return partsIn([JSON.parse(text) as unknown])[0];
  } catch {
    return undefined;
  }
}

function partsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  const isPart = (each: unknown): each is Record<string, unknown> => typeof each === 'object' && each !== null;
  return Array.isArray(value) ? value.filter(isPart) : [];
}

/** Each package once, in the order of their URLs. */
function inOrder(packages: readonly InstalledPackage[]): readonly InstalledPackage[] {
  const byUrl = new Map(packages.map((each) => [each.purl, each]));
  return [...byUrl.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
}

/** Returns the bill of an image. `at`: ISO 8601 */
export function billOf(
  { repository, digest }: Pick<Release, 'repository' | 'digest'>,
  { packages, tool }: FoundPackages,
  at: string,
): Predicate {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: at,
      tools: { components: [{ type: 'application', ...tool }] },
      component: { type: 'container', name: repository, version: digest, 'bom-ref': digest },
    },
    components: packages.slice(0, mostPackages).map((each) => ({ type: 'library', ...each })),
    ...(packages.length > mostPackages ? { compositions: [{ aggregate: 'incomplete', assemblies: [digest] }] } : {}),
  };
}

function isField(value: unknown, longest = longestField): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= longest && !/[\p{Cc}\p{Cs}]/u.test(value);
}

/** dpkg's status (deb-control(5)): paragraphs of fields. Those of distroless images have one package each. */
function debian(text: string, system: string): Found[] {
  return paragraphs(text).flatMap((lines) => {
    const field = (key: string) => valueOf(lines, `${key}: `);
    const status = field('Status');
    if (status !== undefined && !status.endsWith(' installed')) return [];
    const name = field('Package');
    return [{ type: `deb/${system}`, name, version: field('Version'), architecture: field('Architecture') }];
  });
}

/** apk's database: paragraphs of one-letter fields. */
function alpine(text: string, system: string): Found[] {
  return paragraphs(text).map((lines) => ({
    type: `apk/${system}`,
    name: valueOf(lines, 'P:'),
    version: valueOf(lines, 'V:'),
    architecture: valueOf(lines, 'A:'),
  }));
}

/** A package of npm's. Its name is that of the package, not of the folder, which may be an alias. */
function npm(text: string): Found[] {
  try {
    const { name, version } = (JSON.parse(text) ?? {}) as { name?: unknown; version?: unknown };
    const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined);
    return [{ type: 'npm', name: textOf(name), version: textOf(version) }];
  } catch {
    return [];
  }
}

/** A Python distribution (https://packaging.python.org/specifications/core-metadata): headers until the first empty line. */
function python(text: string): Found[] {
  const [lines = []] = paragraphs(text);
  const name = valueOf(lines, 'Name: ')
    ?.toLowerCase()
    .replaceAll(/[-_.]+/g, '-');
  return [{ type: 'pypi', name, version: valueOf(lines, 'Version: ') }];
}

function paragraphs(text: string): string[][] {
  return text
    .split(/\r?\n\r?\n/)
    .map((paragraph) => paragraph.split(/\r?\n/))
    .filter((lines) => lines.some((line) => line !== ''));
}

function valueOf(lines: readonly string[], start: string): string | undefined {
  return lines
    .find((line) => line.startsWith(start))
    ?.slice(start.length)
    .trim();
}
