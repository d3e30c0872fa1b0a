import { LockageError } from '../errors.ts';
import { blockOf, type Block } from '../model/block.ts';
import type { Environment, Project } from '../model/environment.ts';
import type { Gate } from '../model/gate.ts';
import type { ClockAnswer } from '../model/host-report.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import type { VerificationJob } from '../model/verification.ts';
import { zonedText } from '../model/zoned-time.ts';
import { spanText, whenText } from '../text/moment.ts';
import { signatureGates, type SignatureInputs } from './evidence/signature-gates.ts';
import { freezeAt } from './freeze.ts';
import { schemaGate } from './schema.ts';
import { verificationGate } from './verification.ts';
import { clockTolerance, serviceOf } from './soak.ts';

/** Everything that follows whether a release may enter an environment. */
export interface GateInputs {
  readonly release: Release;
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  /** environments before this one, by name */
  readonly upstream: Readonly<Record<string, EnvironmentRecord>>;
  /** environments before this one that have jobs, with these, by name */
  readonly jobs?: Readonly<Record<string, readonly VerificationJob[]>>;
  readonly blocks: readonly Block[];
  /** why it comes there although its code may not run with the data */
  readonly forceSchema?: string | undefined;
  /** whether the registry has it as it was released; absent: nobody asked it */
  readonly image?: ImageAnswer;
  /** absent: nothing is asked of signatures, now or by what is recorded */
  readonly signatures?: SignatureInputs;
  /** the clocks of its hosts; absent: no time counts here, or nobody asked them */
  readonly clocks?: readonly ClockAnswer[];
  /** milliseconds since 1970 */
  readonly now: number;
}

/** The answer of a registry: it has a release as it was made, or what is wrong, and what helps. */
export interface ImageAnswer {
  readonly problem?: string;
  readonly remedy?: string;
}

/** Returns everything that must hold before a release may enter an environment, whether it does or not. */
export function judgeGates(inputs: GateInputs): readonly Gate[] {
  const { environment } = inputs;
  return [
    holdGate(environment, inputs.record),
    blockGate(inputs),
    ...(inputs.image ? [imageGate(inputs.release, inputs.image)] : []),
    ...environment.after.map((name) => upstreamGate(inputs, name)),
    ...(environment.soak ? environment.after.map((name) => soakGate(inputs, name, environment.soak ?? 0)) : []),
    ...verificationGates(inputs),
    ...schemaGate({ ...inputs, environment: environment.name, force: inputs.forceSchema }),
    ...freezeGate(environment, inputs.now),
    ...(inputs.signatures ? signatureGates({ ...inputs, environment: environment.name }, inputs.signatures) : []),
    ...(inputs.clocks ? [clockGate(inputs.clocks)] : []),
  ];
}

/**
 * Returns whether times matter to an environment: a clock that is wrong would open it, or record when a release came there,
 * which an environment after it counts from.
 */
export function timeCounts(
  { environments }: Pick<Project, 'environments'>,
  { name, soak, freeze, evidence, approvals }: Environment,
): boolean {
  const isCounted = environments.some((each) => each.soak !== undefined && each.after.includes(name));
  return [soak, freeze, evidence, approvals].some((each) => each !== undefined) || isCounted;
}

/** Throws LockageError with every gate that is neither met nor passed by a person, with more to say, and with the commands that help. */
export function refuseUnmet(what: string, into: string, gates: readonly Gate[], more: readonly string[] = []): void {
  const unmet = gates.filter(({ met, passed }) => !met && !passed);
  if (unmet.length === 0) return;
  throw new LockageError(`${what} may not enter ${into}`, {
    details: [...unmet.map(({ text }) => text), ...more],
    hint: hintOf(unmet),
  });
}

/** Returns what a person can do about gates that are not met; undefined where that is nothing. */
export function hintOf(unmet: readonly Gate[]): string | undefined {
  const commands = [...new Set(unmet.flatMap(({ command }) => command ?? []))];
  const remedies = unmet.flatMap(({ remedy }) => remedy ?? []);
  const latest = unmet
    .flatMap(({ until }) => until ?? [])
    .toSorted()
    .at(-1);
  const sentences = [
    ...(commands.length > 0 ? [`Run ${commands.map((each) => `\`${each}\``).join(', then ')}.`] : []),
    ...remedies,
    ...(latest === undefined ? [] : [`Run the same command again after ${whenText(latest)}.`]),
  ];
  return sentences.length === 0 ? undefined : sentences.join(' ');
}

function holdGate({ name }: Environment, { ledger: { hold } }: EnvironmentRecord): Gate {
  const gate = 'hold';
  if (!hold) return { gate, met: true, text: `${name} is not on hold` };
  const text = `${name} is on hold since ${whenText(hold.since)} by ${hold.actor}: ${hold.reason}`;
  return { gate, met: false, text, by: hold.actor, command: `lockage resume ${name}` };
}

function blockGate({ release, environment, record, blocks }: GateInputs): Gate {
  const gate = 'block';
  const block = blockOf(blocks, release);
  if (!block) return { gate, met: true, text: `${release.version} is not blocked` };
  const by = block.actor;
  if (serves(record, release)) {
    return { gate, met: true, text: `${blockText(block, release)}; ${environment.name} runs it and may go on`, by };
  }
  return { gate, met: false, text: blockText(block, release), by, command: `lockage unblock ${release.version}` };
}

/** Says who has blocked a release, since when and why. */
export function blockText({ version, since, actor, reason }: Block, release: Pick<Release, 'version'>): string {
  const what = version === release.version ? version : `${release.version} is the same image as ${version}, which`;
  return `${what} is blocked since ${whenText(since)} by ${actor}: ${reason.split('\n')[0] ?? ''}`;
}

function imageGate({ version }: Release, { problem, remedy }: ImageAnswer): Gate {
  const gate = 'image';
  if (problem === undefined) return { gate, met: true, text: `the registry has ${version} as it was released` };
  return { gate, met: false, text: problem, ...(remedy === undefined ? {} : { remedy }) };
}

function upstreamGate({ release: { version }, release, upstream }: GateInputs, name: string): Gate {
  const gate = { gate: 'upstream', from: name } as const;
  const before = upstream[name];
  if (before && ranWell(before, release)) return { ...gate, met: true, text: `${version} ran well in ${name}` };
  const current = before && currentRevision(before.ledger);
  const nothingRuns = before?.archive ? 'which is archived' : 'where nothing runs yet';
  const where = current ? `which runs ${current.release.version}` : nothingRuns;
  const text = `${version} has not run well in ${name}, ${where}`;
  return { ...gate, met: false, text, command: `lockage promote ${version} --to ${name}` };
}

function soakGate({ release, record, upstream, now }: GateInputs, name: string, soak: number): Gate {
  const { version } = release;
  const gate = { gate: 'soak', from: name } as const;
  if (serves(record, release)) return { ...gate, met: true, text: `${version} runs here already` };
  const { longest, since, held, future } = serviceOf(upstream[name] ?? nothing, release, now);
  const wanted = `${spanText(soak)} are wanted`;
  if (future !== undefined) {
    const recorded = Number.isFinite(future) ? momentText(future) : 'at an unknown time';
    const text = `${name} was changed ${recorded}, which is later than it is now (${momentText(now)}): a clock is wrong, and ${wanted}`;
    return { ...gate, met: false, text, remedy: clockRemedy };
  }
  if (longest >= soak) return { ...gate, met: true, text: `${version} served ${spanText(longest)} in ${name}` };
  const served = `${version} has served ${spanText(longest)} in ${name}, and ${wanted}`;
  if (held) return { ...gate, met: false, text: `${served}; ${name} is on hold`, command: `lockage resume ${name}` };
  if (since !== undefined) return { ...gate, met: false, text: served, until: new Date(since + soak).toISOString() };
  const text = `${served}; it does not serve there now`;
  return { ...gate, met: false, text, command: `lockage promote ${version} --to ${name}` };
}

function verificationGates({ environment, record, release, upstream, jobs = {} }: GateInputs): Gate[] {
  const asking = environment.after.flatMap((from) => (jobs[from] ? [{ from, jobs: jobs[from] }] : []));
  if (serves(record, release)) {
    const text = `${release.version} runs here already`;
    return asking.map(({ from }) => ({ gate: 'verification', from, met: true, text }));
  }
  return asking.map((each) => verificationGate({ ...each, release, before: upstream[each.from] }));
}

function momentText(moment: number): string {
  return whenText(new Date(moment).toISOString());
}

const nothing: EnvironmentRecord = { basis: '', ledger: { revisions: [] }, containers: [], secrets: [] };

function serves({ ledger }: EnvironmentRecord, { digest }: Release): boolean {
  return currentRevision(ledger)?.release.digest === digest;
}

/** Returns the gate that the calendar is, for an environment that has one. */
export function freezeGate({ name, freeze = [] }: Pick<Environment, 'name' | 'freeze'>, now: number): Gate[] {
  if (freeze.length === 0) return [];
  const gate = 'freeze';
  const found = freezeAt(freeze, now);
  if (!found) return [{ gate, met: true, text: `${name} is not frozen now` }];
  const { until, zone, reason = 'no reason is configured' } = found;
  if (until === undefined) {
    const remedy = `\`freeze\` of ${name} in the configuration leaves no time for it.`;
    return [{ gate, met: false, text: `${name} is frozen, and no end is in sight: ${reason}`, remedy }];
  }
  const text = `${name} is frozen until ${zonedText(until, zone)}: ${reason}`;
  return [{ gate, met: false, text, until: new Date(until).toISOString() }];
}

const clockRemedy = 'Set the clock of this computer, or of the hosts that are named, by NTP.';

/** A clock that is wrong would open what time opens, and record times from which others count. */
function clockGate(clocks: readonly ClockAnswer[]): Gate {
  const gate = 'clock';
  const wrong = clocks.flatMap((clock) => {
    if ('error' in clock) return [`${clock.host} does not say what time it is: ${clock.error}`];
    const { host, ahead, precision } = clock;
    if (Math.abs(ahead) - precision <= clockTolerance) return [];
    return [`the clock of this computer is ${spanText(Math.abs(ahead))} ${ahead > 0 ? 'behind' : 'ahead of'} ${host}`];
  });
  if (wrong.length > 0) return { gate, met: false, text: wrong.join('; '), remedy: clockRemedy };
  const text = clocks.length === 0 ? 'there is no host yet whose clock to compare' : 'the clocks of hosts agree';
  return { gate, met: true, text };
}

/** Returns whether a release ran well: exactly that digest served, and it was not followed by a rollback from it. */
export function ranWell(record: EnvironmentRecord, release: Release): boolean {
  const revisions = record.ledger.revisions.filter(({ result }) => result === 'succeeded');
  const last = revisions.findLastIndex((revision) => revision.release.digest === release.digest);
  return last >= 0 && revisions[last + 1]?.kind !== 'rollback';
}
