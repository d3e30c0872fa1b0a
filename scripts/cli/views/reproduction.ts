import type { Bundle } from '../../../infra/registry/bundle/bundle.ts';
import { own } from '../../../pipelines/model/own.ts';
import { secretsOf } from '../../../pipelines/model/recorded-revision.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import type { Reproduction } from '../../../pipelines/model/reproduction.ts';
import type { ResultOf } from '../../../pipelines/operations/perform.ts';
import { untilOf } from '../../../pipelines/planning/environment-time.ts';
import type { ReproductionDifference } from '../../../pipelines/planning/reproduction-differences.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import { secretFile } from '../../project/reproductions.ts';
import { colors } from '../../tools/colors.ts';
import { bytesText, clockText, durationText, table } from '../../tools/format.ts';

/** A reproduction, and what became of it. */
export interface Reproduced {
  readonly reproduction: Reproduction;
  readonly folder: string;
  readonly differences: readonly ReproductionDifference[];
  readonly result: ResultOf<'reproduce'>;
  readonly bundle?: Bundle;
  /** of all images, in bytes */
  readonly moved: number;
}

/** Shows what runs, where it is visited, and what differs from the original. */
export function reproductionLines(shown: Reproduced): string[] {
  const { reproduction, folder, differences } = shown;
  const secrets = secretsOf(reproduction.of);
  const header = ['', 'what', '', reproduction.of.environment, reproduction.name, 'why'].map((word) =>
    colors.dim(word),
  );
  return [
    ...outcomeLines(shown),
    ...urlLines(reproduction),
    ...(secrets.length > 0 ? [`  values of its secrets: ${secretFile(folder, '')}`] : []),
    ...table([header, ...differences.map(rowOf)]),
  ];
}

function outcomeLines({ reproduction, result, moved }: Reproduced): string[] {
  const { name, of } = reproduction;
  const original = `revision ${of.number} of ${of.environment}`;
  const { release } = of;
  if (result.outcome === 'planned') return [`${name} would be ${original}, ${release.version}`];
  const what = `${name} is ${original}: ${release.version} (${shortDigest(release.digest)})`;
  const time = timeLines(reproduction);
  if (!result.revision) return [what, ...time];
  return [`${what}; ${durationText(result.revision.duration)}, ${bytesText(moved)} moved`, ...time];
}

/** Says until when an environment with a time is there; nothing of others. */
export function timeLines({ name, time, host }: Reproduction): string[] {
  if (!time) return [];
  const until = clockText(time.until * 1000, Date.now());
  return [
    `until ${until}, when ${host.name} removes it by itself (\`lockage env up ${name} --ttl 8h\` gives it more time)`,
  ];
}

function rowOf({ what, of = '', original, here, why }: ReproductionDifference): string[] {
  return [colors.yellow('~'), what, of, printable(original), printable(here), colors.dim(printable(why))];
}

/** Shows where each role with traffic is visited. */
export function urlLines(reproduction: Reproduction): string[] {
  return table(urlsOf(reproduction).map(({ role, url }) => ['', role, url]));
}

/** Returns where each role with traffic is visited. */
export function urlsOf({ of, ports, host }: Reproduction): { readonly role: string; readonly url: string }[] {
  const roles = new Map(of.containers.flatMap(({ role, route }) => (route ? [[role, route.publish] as const] : [])));
  const address = host.address.includes(':') ? `[${host.address}]` : host.address;
  return [...roles].map(([role, publish]) => ({ role, url: `http://${address}:${ports[publish] ?? publish}/` }));
}

/** Returns the same as `--json` has it. */
export function reproductionJson({ reproduction, folder, differences, result, bundle, moved }: Reproduced): object {
  const { name, of, ports, secrets, emulates, time } = reproduction;
  const { version, digest } = of.release;
  return {
    ...result,
    ...('bytesMoved' in result ? { bytesMoved: { [reproduction.host.name]: moved } } : {}),
    environment: name,
    original: { app: of.app, environment: of.environment, revision: of.number, version, digest },
    urls: urlsOf(reproduction),
    ...(time ? { until: untilOf(time) } : {}),
    ports,
    ...(emulates === undefined ? {} : { emulates }),
    secrets: secretsOf(of).map((secret) => ({
      ...{ name: secret, from: own(secrets, secret) ?? 'generated', file: secretFile(folder, secret) },
    })),
    differences,
    ...(bundle ? { bundle: { file: bundle.file, digest: bundle.digest } } : {}),
  };
}
