import { expiryWarnings, type Certificate } from '../hosts/certificates.ts';
import type { HostView, LockView } from '../inspection/observation.ts';
import { wayBackOf } from '../inspection/status.ts';
import { blockOf, type Block } from '../model/block.ts';
import type { Environment } from '../model/environment.ts';
import type { HostClock } from '../model/host-report.ts';
import { currentRevision, rollbackCandidates, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import type { Revision } from '../model/revision.ts';
import { runsWith, schemaOf } from '../model/schema.ts';
import { schedulesReplicas } from '../model/target.ts';
import type { VerificationJob } from '../model/verification.ts';
import { freezeGate, judgeGates } from '../policy/gates.ts';

/** An answer to one question about an environment, with what helps. */
export interface Answer {
  readonly question: 'promote' | 'roll back' | 'visitors' | 'images' | 'lock' | 'clocks' | 'certificates';
  readonly level: 'good' | 'warning' | 'bad';
  readonly text: string;
  readonly details?: readonly string[];
  readonly hint?: string;
}

/** Everything that the answers follow from. */
export interface ReadinessFacts {
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly releases: readonly Release[];
  /** environments before this one, by name */
  readonly upstream: Readonly<Record<string, EnvironmentRecord>>;
  readonly blocks: readonly Block[];
  /** those of them that have jobs, with these */
  readonly jobs?: Readonly<Record<string, readonly VerificationJob[]>>;
  readonly views: readonly HostView[];
  /** what hosts that answer refuse a change for */
  readonly obstacle?: Obstacle;
  readonly lock?: LockView;
  /** name of a host → digests of the images that it has; hosts that do not answer are left out */
  readonly images: ReadonlyMap<string, ReadonlySet<string>>;
  /** digests that the registry still has, or why it does not tell */
  readonly registry: ReadonlySet<string> | { readonly error: string };
  readonly clocks: readonly HostClock[];
  readonly certificates: readonly { readonly host: string; readonly certificates: readonly Certificate[] }[];
  /** milliseconds since 1970 */
  readonly now: number;
}

/** The reason why hosts cannot be changed now. */
export interface Obstacle {
  /** a rollback is refused for it, too */
  readonly stopsRollback: boolean;
  readonly text: string;
  readonly details: readonly string[];
  readonly hint?: string;
}

/** Milliseconds by which clocks may differ: logs and records of several machines are read side by side. */
const muchSkew = 2000;

/** Returns whether an environment could be changed and be taken back now, question by question. */
export function readiness(facts: ReadinessFacts): Answer[] {
  return [
    promoteAnswer(facts),
    rollbackAnswer(facts),
    ...visitorsAnswer(facts),
    imagesAnswer(facts),
    lockAnswer(facts),
    clocksAnswer(facts),
    ...certificatesAnswer(facts),
  ];
}

/** Returns the releases whose images going on or back needs, each once. */
export function neededReleases(record: EnvironmentRecord): readonly Release[] {
  return [...new Map(neededRevisions(record).map(({ release }) => [release.digest, release])).values()];
}

function neededRevisions({ ledger }: EnvironmentRecord): Revision[] {
  const current = currentRevision(ledger);
  return [...(current ? [current] : []), ...rollbackCandidates(ledger)];
}

function promoteAnswer(facts: ReadinessFacts): Answer {
  const { environment, record, now } = facts;
  const question = 'promote';
  const { name } = environment;
  const { hold, cordons = [] } = record.ledger;
  if (hold) {
    const text = `no: on hold by ${hold.actor}, ${hold.reason}`;
    return { question, level: 'bad', text, hint: `Run \`lockage resume ${name}\` when releases may come in again.` };
  }
  const stopped = stoppedBy(facts);
  if (stopped) return { question, ...stopped };
  const frozen = freezeGate(environment, now).find(({ met }) => !met);
  if (frozen) return { question, level: 'warning', text: `no: ${frozen.text}` };
  const text = entering(facts);
  if (cordons.length === 0) return { question, level: 'good', text };
  const hint = `Run \`lockage host uncordon HOST --env ${name}\` when it is well again.`;
  return { question, level: 'warning', text: `${text}; without ${cordons.map(({ host }) => host).join(', ')}`, hint };
}

/** Returns why nothing can be changed, whatever it is. */
function stoppedBy({ environment, views, obstacle }: ReadinessFacts): Omit<Answer, 'question'> | undefined {
  const silent = silentAmong(views);
  if (silent.length > 0) {
    return {
      ...{ level: 'bad', text: `no: ${silent.length} of ${views.length} hosts do not answer` },
      details: silent.map(({ host, error = '' }) => `${host.name}: ${error}`),
      hint: `Bring them back, or run \`lockage host cordon HOST --env ${environment.name}\` to go on without them.`,
    };
  }
  if (!obstacle) return undefined;
  const { text, details, hint } = obstacle;
  return { level: 'bad', text: `no: ${text}`, details, ...(hint === undefined ? {} : { hint }) };
}

function silentAmong(views: readonly HostView[]): readonly HostView[] {
  return views.filter(({ error }) => error !== undefined);
}

/** How many releases are named. */
const most = 5;

function entering(facts: ReadinessFacts): string {
  const current = currentRevision(facts.record.ledger)?.release.digest;
  const may = facts.releases.filter((release) => release.digest !== current && passes(release, facts));
  if (may.length === 0) return 'yes, and no release waits that passed what is before';
  const newest = may.slice(-most).map(({ version }) => version);
  return `yes: ${newest.reverse().join(', ')}${may.length > most ? ` and ${may.length - most} earlier ones` : ''}`;
}

function passes(release: Release, facts: ReadinessFacts): boolean {
  const { environment, record, upstream, blocks, jobs = {}, now } = facts;
  return judgeGates({ release, environment, record, upstream, blocks, jobs, now }).every(({ met }) => met);
}

function rollbackAnswer(facts: ReadinessFacts): Answer {
  const question = 'roll back';
  const data = schemaOf(facts.record);
  const isOpen = ({ release }: Revision) => !blockOf(facts.blocks, release) && runsWith(release, data);
  const candidates = rollbackCandidates(facts.record.ledger).filter(isOpen);
  if (candidates.length === 0) {
    const hint = 'A second release has to run well there first.';
    return { question, level: 'warning', text: 'no: there is no earlier good revision', hint };
  }
  const stopped = stoppedBy(facts);
  if (stopped && (facts.obstacle?.stopsRollback ?? true)) return { question, ...stopped };
  const ways = candidates.map((revision) => ({ revision, from: fromWhere(facts, revision) }));
  const possible = ways.filter(({ from }) => from !== 'nowhere');
  const named = possible.slice(0, most).map(({ revision, from }) => {
    const how = from === 'standby' ? 'a switch' : from === 'image' ? 'from its image' : 'from the registry';
    return `${revision.release.version} (revision ${revision.number}, ${how})`;
  });
  const text = named.length === 0 ? 'no: the images are gone' : `yes: to ${named.join(', ')}`;
  const [first] = ways;
  if (first?.from !== 'nowhere') return { question, level: 'good', text };
  const missing = first.revision.release;
  return {
    ...{ question, level: 'bad', text },
    details: [`${missing.version}, the one before, is neither on every host nor in the registry`],
    hint: `Push ${missing.repository}@${missing.digest} again.`,
  };
}

/** Says so where a public port does not answer: what is behind it may be well, and the way there lost. */
function visitorsAnswer({ views }: ReadinessFacts): Answer[] {
  const details = views.flatMap(({ host, edge }) => (edge?.silent ?? []).map((text) => `${host.name}: ${text}`));
  if (details.length === 0) return [];
  const isRefused = details.some((text) => text.includes('refused'));
  return [
    {
      ...{ question: 'visitors', level: 'bad', text: 'do not get an answer on every port', details },
      hint: isRefused
        ? 'A firewall that was loaded again has dropped Docker’s rules: `systemctl restart docker` there makes them again.'
        : 'Look at what serves there: `lockage logs`.',
    },
  ];
}

type Way = 'standby' | 'image' | 'registry' | 'nowhere';

function fromWhere(facts: ReadinessFacts, revision: Revision): Way {
  if (wayBackOf(revision.containers, facts.views) === 'standby') return 'standby';
  const lacking = hostsWithout(facts, revision);
  if (lacking.length === 0) return 'image';
  const { registry } = facts;
  return 'error' in registry || !registry.has(revision.release.digest) ? 'nowhere' : 'registry';
}

/** Hosts that do not answer say nothing of what they have. Nor do the nodes of a swarm, which may be any. */
function hostsWithout({ images, views }: ReadinessFacts, { containers, release }: Revision): string[] {
  const hosts = [...new Set(containers.map(({ host }) => host))];
  return hosts.filter((host) => {
    const held = images.get(host);
    return held ? !held.has(release.digest) : isSwarm(views, host);
  });
}

function isSwarm(views: readonly HostView[], name: string): boolean {
  return views.some(({ host }) => host.name === name && schedulesReplicas(host));
}

function imagesAnswer(facts: ReadinessFacts): Answer {
  const question = 'images';
  const needed = neededRevisions(facts.record);
  const lacking = needed.flatMap((revision) => {
    const hosts = hostsWithout(facts, revision);
    return hosts.length === 0 ? [] : [{ release: revision.release, hosts }];
  });
  const { registry } = facts;
  if (lacking.length === 0) {
    if (needed.length === 0) return { question, level: 'good', text: 'none is needed: nothing runs' };
    const where = silentAmong(facts.views).length === 0 ? 'every host' : 'every host that answers';
    return { question, level: 'good', text: `what serves and all that can be gone back to is on ${where}` };
  }
  const details = lacking.map(({ release, hosts }) =>
    hosts.some((host) => isSwarm(facts.views, host))
      ? `nodes of ${hosts.join(', ')} pull ${release.version}`
      : `${release.version} is not on ${hosts.join(', ')}`,
  );
  if ('error' in registry) {
    const hint = 'See to the registry: without it no rollback to these is possible.';
    return { question, level: 'bad', text: `some are not on every host, and ${registry.error}`, details, hint };
  }
  const gone = lacking.filter(({ release }) => !registry.has(release.digest));
  if (gone.length === 0) {
    return { question, level: 'good', text: 'those that are not on every host are in the registry', details };
  }
  const versions = gone.map(({ release }) => release.version).join(', ');
  const hint = 'Push these images again, or go back no further than to the others.';
  return { question, level: 'warning', text: `neither on every host nor in the registry: ${versions}`, details, hint };
}

function lockAnswer({ environment: { name }, lock }: ReadinessFacts): Answer {
  const question = 'lock';
  if (!lock) return { question, level: 'good', text: 'free' };
  if ((lock.leaseLeft ?? 0) < 0)
    return { question, level: 'good', text: `lapsed, of ${lock.actor}: the next command takes it over` };
  return {
    ...{ question, level: 'warning', text: `held by ${lock.actor}: ${lock.purpose}` },
    hint: `Wait, or run \`lockage unlock ${name}\` where its holder is gone for good.`,
  };
}

function clocksAnswer({ clocks, views }: ReadinessFacts): Answer {
  const question = 'clocks';
  const wrong = clocks.filter(({ ahead, precision }) => Math.abs(ahead) - precision > muchSkew);
  const count = views.filter(({ host, cordon }) => host.kind === 'host' && !cordon).length;
  if (clocks.length === 0 && count > 0)
    return { question, level: 'warning', text: 'are not known: no host tells', hint: 'Look at the rows of its hosts.' };
  const told = clocks.length < count ? `${clocks.length} of ${count} hosts, which tell,` : 'all hosts';
  if (wrong.length === 0) return { question, level: 'good', text: `of ${told} are as that of this computer` };
  const details = wrong.map(
    ({ host, ahead }) => `${host}: ${(Math.abs(ahead) / 1000).toFixed(1)} s ${ahead > 0 ? 'ahead' : 'behind'}`,
  );
  const hint = 'Set them by NTP (`timedatectl set-ntp true`), and look at the clock of this computer too.';
  return {
    question,
    level: 'warning',
    text: `of ${wrong.length} of ${clocks.length} hosts are not as that of this computer`,
    details,
    hint,
  };
}

function certificatesAnswer({ certificates, now }: ReadinessFacts): Answer[] {
  const question = 'certificates';
  const all = certificates.flatMap(({ host, certificates: own }) => own.map((each) => ({ host, ...each })));
  if (all.length === 0) return [];
  const ending = certificates.flatMap(({ host, certificates: own }) =>
    expiryWarnings(own, now).map((text) => `${host}: ${text}`),
  );
  const isOver = all.some(({ expires }) => Date.parse(expires) < now);
  const [first = ''] = all.map(({ expires }) => expires.slice(0, 10)).sort();
  if (ending.length === 0) return [{ question, level: 'good', text: `the first ends on ${first}` }];
  const hint = 'Have new ones issued: promotions are refused after the end.';
  const text = isOver ? 'have ended' : `end soon, the first on ${first}`;
  return [{ question, level: isOver ? 'bad' : 'warning', text, details: ending, hint }];
}
