import { blockProblem } from '../../../pipelines/inspection/blocked.ts';
import type { LoadBalancerView, LockView, HostView } from '../../../pipelines/inspection/observation.ts';
import {
  containersOf,
  edgeFaults,
  type ContainerStatus,
  type EnvironmentStatus,
} from '../../../pipelines/inspection/status.ts';
import type { EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import type { Drill } from '../../../pipelines/model/revision.ts';
import { agoText } from '../../../pipelines/text/moment.ts';
import { colors } from '../../tools/colors.ts';
import { glassText } from './gates.ts';
import { archivedText } from './archive.ts';
import { clockText, durationText, table, visibleLength } from '../../tools/format.ts';

/**
 * Shows all environments on one screen: a line each, and below it what a person should know. Where a terminal of `width`
 * columns is too narrow, what is most easily looked up otherwise is left out.
 */
export function overviewLines(environments: readonly EnvironmentStatus[], now: number, width = Infinity): string[] {
  const rows = environments.map((environment) => overviewRow(environment, now));
  const choices = [[], ['others'], ['others', 'digest'], ['others', 'digest', 'by']].map((left) =>
    overviewTable(rows, new Set(left)),
  );
  const fits = (lines: readonly string[]) => lines.every((line) => visibleLength(line) <= width);
  const [first = '', ...lines] = choices.find(fits) ?? choices.at(-1) ?? [];
  return [first, ...environments.flatMap((environment, index) => [lines[index] ?? '', ...noteLines(environment, now)])];
}

/** `rollback` is the nearest way back, with the number of others; `all` has each of them. */
type OverviewRow = Readonly<
  Record<'' | 'version' | 'digest' | 'rev' | 'since' | 'by' | 'hosts' | 'rollback' | 'all', string>
>;

function overviewTable(rows: readonly OverviewRow[], left: ReadonlySet<string>): string[] {
  const words = (['', 'version', 'digest', 'rev', 'since', 'by', 'hosts', 'rollback'] as const).filter(
    (word) => !left.has(word),
  );
  const cells = rows.map((row) =>
    words.map((word) => (word === 'rollback' && !left.has('others') ? row.all : row[word])),
  );
  return table([words.map((word) => colors.dim(word)), ...cells]);
}

function overviewRow(status: EnvironmentStatus, now: number): OverviewRow {
  const { ready, total } = status.hosts;
  const all = rollbackText(status);
  const { rollback } = status;
  const others = rollback.length > 1 ? colors.dim(`, ${rollback.length - 1} more`) : '';
  return {
    '': colors.bold(status.name),
    version: status.version ?? colors.dim(status.archived ? 'archived' : 'nothing'),
    digest: status.digest ? colors.dim(shortDigest(status.digest)) : '',
    rev: status.revision === undefined ? '' : String(status.revision),
    since: status.since ? agoText(status.since, now) : '',
    by: status.actor ?? '',
    hosts: status.archived ? '' : (ready === total ? colors.green : colors.red)(`${ready}/${total}`),
    rollback: rollbackText({ ...status, rollback: rollback.slice(0, 1) }) + others,
    all,
  };
}

/** Describes a way back: `1.0.0 ready`: a switch; `1.0.0 from image`: its containers are made again. */
function rollbackText({ rollback, version }: EnvironmentStatus): string {
  if (rollback.length === 0) return version === undefined ? '' : colors.dim('none');
  return rollback
    .map((target) => (target.from === 'standby' ? `${target.version} ready` : `${target.version} from image`))
    .join(', ');
}

function noteLines(status: EnvironmentStatus, now: number): string[] {
  const { hold, cordons, lock, failed, drill, reproduces, archived, brokenGlass } = status;
  const notes = [
    ...(archived ? [`${archivedText(archived)}: ${archived.file}`] : []),
    ...(reproduces ? [colors.dim(reproducedText(reproduces, now))] : []),
    ...(status.front ? [loadBalancerLine(status.front)] : []),
    ...status.problems.map((problem) => `${colors.red('✗')} ${problem}`),
    ...(status.warnings ?? []).map((warning) => `${colors.yellow('!')} ${warning}`),
    ...(brokenGlass ? [glassText(brokenGlass, status.actor ?? '')] : []),
    ...(hold
      ? [
          `${colors.yellow('HOLD')} by ${hold.actor} ${agoText(hold.since, now)}: ${hold.reason}` +
            colors.dim(` (lockage resume ${status.name})`),
        ]
      : []),
    ...cordons.map(
      ({ host, actor, since, reason }) =>
        `${colors.yellow('CORDONED')} ${host} by ${actor} ${agoText(since, now)}: ${reason}` +
        colors.dim(` (lockage host uncordon ${host} --env ${status.name})`),
    ),
    ...(lock ? [lockLine(lock, now)] : []),
    ...(drill ? [drillText(drill, now)] : []),
    ...(failed
      ? [
          colors.dim(
            `last attempt, ${failed.version} ${agoText(failed.at, now)} by ${failed.actor}, failed: ${failed.reason}`,
          ),
        ]
      : []),
  ];
  return notes.map((note) => `  ${note}`);
}

function reproducedText(
  { environment, revision, until }: NonNullable<EnvironmentStatus['reproduces']>,
  now: number,
): string {
  const time = until === undefined ? '' : `, until ${clockText(Date.parse(until), now)}`;
  return `made from revision ${revision} of ${environment}${time}`;
}

function drillText({ version, duration, at, actor, failed, worked }: Drill, now: number): string {
  const when = `${agoText(at, now)} by ${actor}`;
  return failed === undefined
    ? colors.dim(`drill: ready to go back to ${version} after ${durationText(duration)}, ${when}`)
    : `${colors.red('✗')} drill: going back to ${version} would have failed, ${when}: ${failed}` +
        (worked
          ? colors.dim(
              `; to ${worked.version} it was ready after ${durationText(worked.duration)} ${agoText(worked.at, now)}`,
            )
          : '');
}

/** Shows a lock: `locked by anna@desk 20 s ago: promote 1.4.0; lease ends in 75 s` */
function lockLine({ actor, since, purpose, leaseLeft }: LockView, now: number): string {
  const lock = `${colors.yellow('locked')} by ${actor} ${agoText(since, now)}: ${purpose}`;
  if (leaseLeft === undefined) return lock;
  if (leaseLeft < 0) return `${lock}; ${colors.yellow('lapsed')}: the next command takes it over`;
  return `${lock}; lease ends in ${Math.ceil(leaseLeft / 1000)} s`;
}

/** Shows a load balancer: `load balancer http://10.71.3.1:8000 → prod-1, prod-2` */
export function loadBalancerLine({ urls, state, servers }: LoadBalancerView): string {
  const where = `load balancer ${urls.join(', ')}`;
  if (state !== 'running') return `${where}  ${colors.red('does not run')}`;
  const names = servers.map(({ name, healthy }) => (healthy ? name : colors.red(`${name} (does not answer)`)));
  return `${where} ${colors.dim('→')} ${names.length === 0 ? colors.dim('no machine') : names.join(', ')}`;
}

/** A host with its containers. */
export interface HostDetail {
  readonly view: HostView;
  readonly containers: readonly ContainerStatus[];
  /** what is wrong with its edge */
  readonly faults?: readonly string[];
}

/** Returns each host with what it has: nothing is known of one that does not answer, or is cordoned. */
export function hostDetails(record: EnvironmentRecord, views: readonly HostView[]): HostDetail[] {
  return views.map((view) => ({
    view,
    containers: view.error === undefined && !view.cordon ? containersOf(record, view) : [],
    faults: edgeFaults(view),
  }));
}

/** Returns one environment as `--json` has it. */
export function environmentJson(status: EnvironmentStatus, hosts: readonly HostDetail[]) {
  const list = hosts.map(({ view: { host, error, engine, routes, edge }, containers }) => ({
    name: host.name,
    ...(error === undefined ? { engine, routes, ...(edge ? { edge } : {}) } : { error }),
    containers,
  }));
  return { ...status, hosts: { ...status.hosts, list } };
}

/** Shows one environment, host by host and container by container. */
export function environmentLines(status: EnvironmentStatus, hosts: readonly HostDetail[], now: number): string[] {
  const title = status.version
    ? `${status.version} ${colors.dim(`(${shortDigest(status.digest ?? '')}, revision ${status.revision})`)}` +
      ` since ${agoText(status.since ?? '', now)} by ${status.actor}`
    : colors.dim(status.archived ? 'archived' : 'nothing runs yet');
  const rollback = rollbackText(status);
  // The problem of a host stands below that host.
  const blocked = status.blocked && blockProblem(status, status.blocked);
  const problems = [status.front?.problem, blocked].filter((problem) => problem !== undefined);
  const notes = noteLines({ ...status, problems }, now);
  const rows = hosts.map(({ containers }) => containers.map((container) => containerRow(container, now)));
  const aligned = table(rows.flat());
  let next = 0;
  const blocks = hosts.flatMap(({ view, containers, faults = [] }) => {
    const lines = aligned.slice(next, next + containers.length);
    next += containers.length;
    return ['', hostLine(view), ...faults.map((fault) => `  ${colors.red('✗')} ${fault}`), ...lines];
  });
  return [
    `${colors.bold(status.name)}  ${title}`,
    ...(rollback ? [`  rollback: ${rollback}`] : []),
    ...notes,
    ...blocks,
  ];
}

function hostLine({ host, error, cordon, engine, routes, containers }: HostView): string {
  const name = colors.bold(host.name);
  if (cordon) return `${name}  ${colors.yellow('cordoned')}`;
  if (error !== undefined) {
    const reason = error.startsWith(`${host.name}: `) ? error.slice(host.name.length + 2) : error;
    return `${name}  ${colors.red('✗')} ${reason}`;
  }
  const facts = [colors.dim(`Docker ${engine ?? '?'}`), ...(routes ? [routesText(routes)] : [])];
  return [name, ...facts, ...(containers.length === 0 ? [colors.dim('no containers')] : [])].join('  ');
}

function routesText(routes: NonNullable<HostView['routes']>): string {
  switch (routes) {
    case 'as recorded':
      return colors.dim('routes: as recorded');
    case 'no answer':
      return colors.red('routes: visitors get no answer');
    case 'differ':
      return colors.red('routes differ');
    case 'unconfirmed':
      return colors.yellow('routes: a switch is not confirmed yet');
    case 'unknown':
      return colors.red('routes: the edge does not say');
  }
}

function containerRow(container: ContainerStatus, now: number): string[] {
  const { use, wrong, state, since, restarts = 0, replicas } = container;
  const mark =
    use === 'unknown' || use === 'left over' ? colors.yellow('?') : wrong ? colors.red('✗') : colors.green('✓');
  const times = since && !since.startsWith('0001') ? agoText(since, now) : '';
  return [
    `  ${mark}`,
    container.role || (use === 'unknown' ? '' : use),
    container.version,
    wrong && state !== 'running' ? colors.red(state) : `${state}${replicas === undefined ? '' : ` ×${replicas}`}`,
    restarts > 0 ? `${times}, ${restarts} restart${restarts === 1 ? '' : 's'}` : times,
    use === 'serving' ? colors.green(use) : use === 'unknown' || use === 'left over' ? colors.yellow(use) : use,
    colors.dim(container.name),
  ];
}
