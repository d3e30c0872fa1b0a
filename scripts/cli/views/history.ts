import type { Block } from '../../../pipelines/model/block.ts';
import type { History, ReleaseStatus } from '../../../pipelines/inspection/history.ts';
import { platformsOf, shortDigest } from '../../../pipelines/model/release.ts';
import type { Revision } from '../../../pipelines/model/revision.ts';
import { agoText } from '../../../pipelines/text/moment.ts';
import { colors } from '../../tools/colors.ts';
import { glassText } from './gates.ts';
import { durationText, table } from '../../tools/format.ts';

const results: Record<Revision['result'], (text: string) => string> = {
  succeeded: colors.green,
  failed: colors.red,
  unfinished: colors.yellow,
};

/** Shows revisions of an environment, newest first; the one that runs is marked. */
export function historyLines(history: History, now: number): string[] {
  if (history.revisions.length === 0) return [`${history.environment} has no revisions yet`];
  const header = ['', 'rev', 'kind', 'version', 'result', 'by', 'when', 'took', 'reason'].map((word) =>
    colors.dim(word),
  );
  const rows = history.revisions.map((revision) => [
    revision.current ? colors.green('>') : '',
    String(revision.number),
    revision.kind,
    revision.blocked ? `${revision.release.version} ${colors.red('blocked')}` : revision.release.version,
    results[revision.result](revision.result),
    revision.actor,
    agoText(revision.startedAt, now),
    revision.result === 'unfinished' ? '' : durationText(revision.duration),
    [glass(revision), restored(revision), ended(revision), firstLine(revision.reason)]
      .filter((text) => text !== '')
      .join(': '),
  ]);
  const { hold, older } = history;
  return [
    ...table([header, ...rows]),
    ...(older > 0
      ? [colors.dim(`${older} older: lockage history ${history.environment} -n ${history.revisions.length + older}`)]
      : []),
    ...blockLines(history.revisions, now),
    ...(hold ? [`${colors.yellow('HOLD')} by ${hold.actor} ${agoText(hold.since, now)}: ${hold.reason}`] : []),
  ];
}

function blockLines(revisions: History['revisions'], now: number): string[] {
  const blocks = new Map(revisions.flatMap(({ blocked }) => (blocked ? [[blocked.digest, blocked] as const] : [])));
  return [...blocks.values()].map((block) => `${colors.red('BLOCKED')} ${block.version} ${blockedText(block, now)}`);
}

/** Says who blocked a release, and why. */
export function blockedText({ actor, since, reason }: Block, now: number): string {
  return `by ${actor} ${agoText(since, now)}: ${firstLine(reason)}`;
}

function glass({ brokenGlass, actor }: History['revisions'][number]): string {
  return brokenGlass ? glassText(brokenGlass, actor) : '';
}

function restored(revision: History['revisions'][number]): string {
  return revision.restores === undefined ? '' : `revision ${revision.restores} again`;
}

function ended({ ended: when }: History['revisions'][number]): string {
  return when === undefined ? '' : `archived ${when.slice(0, 10)}`;
}

function firstLine(reason = ''): string {
  return reason.split('\n')[0] ?? '';
}

/** Shows releases, newest first, and how far each one came. */
export function releaseLines(releases: readonly ReleaseStatus[], now: number): string[] {
  if (releases.length === 0) return ['there are no releases yet: `lockage release 1.0.0` makes the first'];
  const header = ['version', 'digest', 'commit', 'when', 'by', 'platform', 'environments'].map((word) =>
    colors.dim(word),
  );
  const rows = releases.map((release) => [
    release.version,
    colors.dim(shortDigest(release.digest)),
    sourceText(release),
    agoText(release.createdAt, now),
    release.builder,
    platformsOf(release).join(', '),
    whereText(release, now),
  ]);
  const dirty = releases.some((release) => release.commit && release.dirty);
  return [...table([header, ...rows]), ...(dirty ? [colors.dim('+ built with uncommitted changes')] : [])];
}

function sourceText({ commit, dirty, adopted }: ReleaseStatus): string {
  if (commit) return `${commit.slice(0, 7)}${dirty ? '+' : ''}`;
  return adopted ? 'adopted' : 'none';
}

function whereText({ runs, ran, failed, blocked }: ReleaseStatus, now: number): string {
  return [
    ...(blocked ? [`${colors.red('blocked')} ${blockedText(blocked, now)}`] : []),
    ...(runs.length > 0 ? [`runs in ${colors.green(runs.join(', '))}`] : []),
    ...(ran.length > 0 ? [colors.dim(`ran in ${ran.join(', ')}`)] : []),
    ...(failed.length > 0 ? [colors.red(`failed in ${failed.join(', ')}`)] : []),
  ].join('; ');
}
