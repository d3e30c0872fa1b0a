import type { Difference } from '../../../pipelines/hosts/parity.ts';
import type { HostDrift } from '../../../pipelines/inspection/drift.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import type { Side, SideDifference } from '../../../pipelines/planning/comparison.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import { colors } from '../../tools/colors.ts';
import { bytesText, table } from '../../tools/format.ts';
import type { Commit } from '../../tools/commits.ts';
import { driftLines } from './drift.ts';
import { shortened } from '../../../pipelines/text/shortened.ts';

/** Some layers of an image. */
interface Layers {
  readonly count: number;
  /** as they are sent */
  readonly bytes: number;
}

/** The layers that two images share, and that each has for itself. */
export interface LayerShares {
  readonly shared: Layers;
  readonly a: Layers;
  readonly b: Layers;
}

/** All that is not the same on two sides. */
export interface Comparison {
  readonly a: Side;
  readonly b: Side;
  readonly differences: readonly SideDifference[];
  readonly traits: readonly Difference[];
  /** what hosts have otherwise than it is recorded, of sides that are compared as they run */
  readonly drift: { readonly a: readonly HostDrift[]; readonly b: readonly HostDrift[] };
  readonly layers?: LayerShares;
  readonly commits?: readonly Commit[];
  /** there are earlier ones besides */
  readonly moreCommits?: true;
  /** what could not be compared, and why */
  readonly notes: readonly string[];
}

/** Longest value that is shown; `--json` has all of it. */
const longest = 48;
/** Commits that are shown; `--json` has more of them. */
const mostCommits = 10;

/** Shows what differs, one line each, in the columns of the two sides. */
export function diffLines(found: Comparison, now: number): string[] {
  const { a, b, notes } = found;
  const rows = [...found.differences.map(differenceRow), ...layerRows(found), ...found.traits.map(traitRow(found))];
  const header = ['', 'what', 'role', a.name.text, b.name.text].map((word) => colors.dim(word));
  const same = `${colors.green('=')} ${a.name.text} and ${b.name.text} are the same: ${a.release.version} ${shortDigest(a.release.digest)}`;
  return [
    ...(rows.length > 0 ? table([header, ...rows]) : [same]),
    ...commitLines(found),
    ...([a, b] as const).flatMap(({ name }, index) => {
      const hosts = index === 0 ? found.drift.a : found.drift.b;
      return hosts.length === 0 ? [] : driftLines([{ name: name.text, hosts, registry: { drift: [] } }], now);
    }),
    ...notes.map((note) => `${colors.yellow('?')} ${note}`),
  ];
}

const signs = { new: colors.green('+'), gone: colors.red('-'), changed: colors.yellow('~') };

/** The values of secrets are in no comparison. */
const secretTexts = { new: 'has it', gone: 'has it', changed: 'another value' };

function differenceRow({ what, role = '', change, a, b }: SideDifference): string[] {
  const unshown = what.startsWith('secrets.') ? secretTexts[change] : '';
  const cell = (value: string | undefined, isThere: boolean) =>
    isThere ? (value === undefined ? unshown : shown(what, value)) : '';
  return [signs[change], what, role, cell(a, change !== 'new'), cell(b, change !== 'gone')];
}

function shown(what: string, whole: string): string {
  if (what === 'image' || what === 'machine image') return shortDigest(whole);
  if (what === 'commit') return whole.slice(0, 7);
  // A registry says which platform an image is of, and a host what it is made of.
  return shortened(printable(whole), longest);
}

function layerRows({ layers }: Comparison): string[][] {
  if (!layers) return [];
  const own = ({ count, bytes }: Layers) => `${count} of ${count + layers.shared.count} its own, ${bytesText(bytes)}`;
  return [[signs.changed, 'layers', '', own(layers.a), own(layers.b)]];
}

function traitRow({ a, b }: Comparison) {
  return ({ trait, values }: Difference): string[] => {
    const of = (side: Side) =>
      values
        .filter(({ environment }) => environment === side.name.environment)
        .map(({ value, hosts }) => `${printable(value)} on ${hosts.join(', ')}`)
        .join('; ');
    return [signs.changed, trait, 'hosts', of(a), of(b)];
  };
}

function commitLines({ a, b, commits = [], moreCommits }: Comparison): string[] {
  return [[a, 'a'] as const, [b, 'b'] as const].flatMap(([{ name }, side]) => {
    const own = commits.filter((commit) => commit.side === side);
    if (own.length === 0) return [];
    const rest = own.length - mostCommits;
    return [
      `only in ${name.text}: ${moreCommits ? 'at least ' : ''}${own.length} commit${own.length === 1 ? '' : 's'}`,
      ...own.slice(0, mostCommits).map(({ id, subject }) => `  ${colors.dim(id.slice(0, 7))} ${subject}`),
      ...(rest > 0 ? [colors.dim(`  and ${rest} more`)] : []),
    ];
  });
}

/** Returns the comparison as `--json` has it. */
export function diffJson({ a, b, drift, ...rest }: Comparison) {
  const side = ({ name, release, revision }: Side) => ({
    name: name.text,
    ...(name.environment === undefined ? {} : { environment: name.environment }),
    ...(revision ? { revision: revision.number } : {}),
    version: release.version,
    digest: release.digest,
  });
  const told = (hosts: readonly HostDrift[]) => hosts.map(({ host, ...found }) => ({ name: host.name, ...found }));
  return { a: side(a), b: side(b), ...rest, drift: { a: told(drift.a), b: told(drift.b) } };
}
