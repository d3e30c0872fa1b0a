import { driftedOf, type Drift, type Drifted, type HostDrift } from '../../../pipelines/inspection/drift.ts';
import { agoText } from '../../../pipelines/text/moment.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';
import { shortened } from '../../../pipelines/text/shortened.ts';

/** The drift of one environment. */
export interface EnvironmentDrift {
  readonly name: string;
  readonly hosts: readonly HostDrift[];
  /** tags that were moved; a registry that does not answer says nothing of what runs */
  readonly registry: { readonly drift: readonly Drift[] } | { readonly error: string };
}

/** Returns how much of what is recorded of an environment is true, of its hosts and in the registry. */
export function driftOfAll({ hosts, registry }: EnvironmentDrift): Drifted {
  return 'drift' in registry && registry.drift.length > 0 ? 'some' : driftedOf(hosts);
}

/** Longest value that is shown; `--json` has all of it. */
const longest = 60;

/** Shows what is not as it is recorded, one line each, and that nothing is where nothing is. */
export function driftLines(environments: readonly EnvironmentDrift[], now: number): string[] {
  return environments.flatMap(({ name, hosts, registry }) => {
    const moved = 'drift' in registry ? registry.drift : [];
    const rows = [
      ...hosts.flatMap((each) => hostRows(each, now)),
      ...moved.map((drift) => [`  ${colors.red('✗')}`, 'registry', ...cells(drift, now)]),
    ];
    const header = ['', 'host', 'what', 'member', 'expected', 'actual', 'since'].map((word) => colors.dim(word));
    if (rows.length > 0) return [colors.bold(name), ...table([header, ...rows])];
    const count = `${hosts.length} host${hosts.length === 1 ? '' : 's'}`;
    return [`${colors.green('✓')} ${colors.bold(name)}  ${count} as recorded`];
  });
}

function hostRows(each: HostDrift, now: number): string[][] {
  if ('error' in each) return [[`  ${colors.yellow('?')}`, each.host.name, '', '', '', each.error, '']];
  return each.drift.map((drift) => [`  ${colors.red('✗')}`, each.host.name, ...cells(drift, now)]);
}

function cells({ what, member, expected, actual, since }: Drift, now: number): string[] {
  return [printable(what), cell(member), cell(expected), cell(actual), since === undefined ? '' : agoText(since, now)];
}

/** Names of labels and files are whatever somebody made of them: a line stays one. */
function cell(whole: string): string {
  return shortened(printable(whole), longest);
}

/** Returns the drift as `--json` has it. */
export function driftJson(found: EnvironmentDrift) {
  const { name, hosts, registry } = found;
  return {
    name,
    drifted: driftOfAll(found),
    registry,
    hosts: hosts.map(({ host, ...told }) => ({ name: host.name, ...told })),
  };
}
