/** What has to hold after each step: what is recorded is what runs and what answers, and nothing else is there. */
import type { Lost, Wrong } from './journal.ts';
import { environment, type Known, type Stage } from './stage.ts';

/** What an inspection has found. */
export interface Inspection {
  readonly wrong: readonly Wrong[];
  readonly known: Known;
  /** the version that serves on all hosts */
  readonly version?: string;
}

/** Names on a host that belong to no container and are right. */
const standing = ['trial-prod-edge', 'trial-prod-cache'];
const networks = ['bridge', 'host', 'none', 'trial-prod'];
/** An ssh connection is kept for the next command. Docker's plugin looks every five minutes whether its Pulumi is there. */
const lasting = / ssh -M |pulumi-resource-docker/;

/** Looks at everything, and says what is not as it has to be. */
export async function inspect(stage: Stage): Promise<Inspection> {
  const [answers, looks, data] = await Promise.all([answersOf(stage), looksOf(stage), dataOf(stage)]);
  const objects = await Promise.all(stage.hosts.map(({ name }) => objectsOf(stage, name)));
  // After the commands above, which are processes, too.
  const processes = await processesOf(stage);
  const { known, status } = looks;
  const strays = objects.flatMap((each) => straysOf(each, recordedOf(status)));
  const recorded = answers.version === undefined ? [] : versionsAgree(answers.version, status);
  const wrong = [...answers.wrong, ...recorded, ...looks.wrong, ...strays, ...data, ...processes];
  return { wrong, known, ...(answers.version === undefined ? {} : { version: answers.version }) };
}

interface Answers {
  readonly wrong: readonly Wrong[];
  readonly version?: string;
}

/** All hosts serve one version that may serve, with its secret. */
async function answersOf(stage: Stage): Promise<Answers> {
  try {
    const answers = await stage.project.answers(environment);
    const [version, ...others] = new Set(answers.map((answer) => answer.version));
    const secrets = answers.every(({ secretHash }) => secretHash === stage.secretHash)
      ? []
      : [faultOf('not all hosts have the secret', 'secrets')];
    if (version === undefined || others.length > 0)
      return { wrong: [faultOf(`hosts serve ${answers.map((answer) => answer.version).join(', ')}`), ...secrets] };
    const expected = stage.serves.includes(version)
      ? []
      : [faultOf(`${version} serves instead of ${stage.serves.join(' or ')}`)];
    return { version, wrong: [...expected, ...secrets] };
  } catch (error) {
    return { wrong: [faultOf(`not all hosts answer: ${textOf(error)}`)] };
  }
}

interface Status {
  readonly version?: string;
  /** absent where the command failed */
  readonly hosts?: { readonly list: readonly StatusHost[] };
}

interface StatusHost {
  readonly name: string;
  readonly error?: string;
  readonly containers: readonly { readonly name: string }[];
}

interface Looks {
  readonly wrong: readonly Wrong[];
  readonly known: Known;
  readonly status: Status | undefined;
}

/** `status`, `drift` and `history` find nothing that is not as it is recorded, and every revision. */
async function looksOf(stage: Stage): Promise<Looks> {
  const { project } = stage;
  // One after the other: hosts of a busy machine have some seconds to answer.
  const status = await project.run('status', '--env', environment, '--check', '--json');
  const drift = await project.run('drift', environment, '--json');
  const history = await project.run('history', environment, '--limit', '200', '--json');
  const found = status.json;
  const revisions: number[] = (history.json?.revisions ?? []).map(({ number }: { number: number }) => number);
  const lost = stage.known.revision > 0 && !revisions.includes(stage.known.revision);
  const known = {
    revision: found?.revision ?? stage.known.revision,
    hold: found?.hold !== undefined,
    ways: found?.rollback ?? [],
  };
  return {
    status: found,
    known,
    wrong: [
      ...(status.code === 0 ? [] : [faultOf(`status --check ends with ${status.code}: ${problemsOf(found, status)}`)]),
      ...(found?.lock === undefined ? [] : [faultOf(`it is locked by ${found.lock.actor}: ${found.lock.purpose}`)]),
      ...(found?.cordons?.length > 0 ? [faultOf('a host is cordoned')] : []),
      ...(drift.code === 0 ? [] : [faultOf(`drift ends with ${drift.code}: ${driftOf(drift.json)}`)]),
      ...(lost ? [faultOf(`revision ${stage.known.revision} is in no history`, 'records')] : []),
    ],
  };
}

function problemsOf(found: { problems?: string[] } | undefined, { stderr }: { stderr: string }): string {
  return found?.problems?.join('; ') ?? stderr.trim().slice(-300);
}

/** What `drift --json` tells of hosts. */
interface Drifts {
  readonly environments?: readonly { readonly hosts: readonly HostDrift[] }[];
}

interface HostDrift {
  readonly name: string;
  readonly error?: string;
  readonly drift?: readonly { what: string; member: string; expected: string; actual: string }[];
}

function driftOf(told: Drifts | undefined): string {
  const hosts = told?.environments?.[0]?.hosts ?? [];
  const lines = hosts.flatMap(({ name, drift = [], error }) => [
    ...(error === undefined ? [] : [`${name}: ${error}`]),
    ...drift.map((each) => `${name} ${each.what} ${each.member}: ${each.expected} → ${each.actual}`),
  ]);
  return lines.slice(0, 5).join('; ');
}

function versionsAgree(version: string, status: Status | undefined): Wrong[] {
  return status?.version === version
    ? []
    : [faultOf(`${version} serves, and ${status?.version} is recorded`, 'records')];
}

/** Returns the containers that hosts have to have, of those that answered. */
function recordedOf(status: Status | undefined): ReadonlyMap<string, readonly string[]> {
  const list = status?.hosts?.list.filter(({ error }) => error === undefined) ?? [];
  return new Map(list.map(({ name, containers }) => [name, containers.map((container) => container.name)]));
}

/** Everything on a host, whoever made it. */
export interface HostObjects {
  readonly host: string;
  readonly containers: readonly string[];
  readonly networks: readonly string[];
  /** volumes that no container has */
  readonly unused: readonly string[];
}

async function objectsOf(stage: Stage, host: string): Promise<HostObjects> {
  const list = async (...words: string[]) => (await stage.docker(host, ...words)).split('\n').filter((line) => line);
  const [containers, found, unused] = await Promise.all([
    list('ps', '--all', '--format', '{{.Names}}'),
    list('network', 'ls', '--format', '{{.Name}}'),
    list('volume', 'ls', '--filter', 'dangling=true', '--format', '{{.Name}}'),
  ]).catch(() => [[], networks, []]);
  return { host, containers: containers ?? [], networks: found ?? [], unused: unused ?? [] };
}

/** Returns what is on a host and not recorded, and what is recorded and not there. */
export function straysOf(found: HostObjects, recorded: ReadonlyMap<string, readonly string[]>): Wrong[] {
  const known = recorded.get(found.host);
  // That it did not answer is said already.
  if (!known) return [];
  const extra = found.containers.filter((name) => !known.includes(name) && !standing.includes(name));
  const missing = known.filter((name) => name !== '' && !found.containers.includes(name));
  const others = found.networks.filter((name) => !networks.includes(name));
  const lines = (names: readonly string[], what: string) =>
    names.length === 0 ? [] : [faultOf(`${found.host} still has ${what} ${names.join(', ')}`)];
  return [
    ...lines(extra, 'the containers'),
    ...lines(others, 'the networks'),
    ...lines(found.unused, 'the unused volumes'),
    ...missing.map((name) => faultOf(`${found.host} has no ${name}`, 'containers')),
  ];
}

async function processesOf({ project }: Stage): Promise<Wrong[]> {
  const left = await project.leftProcesses(20_000, lasting);
  return left.length === 0 ? [] : [faultOf(`still runs: ${left.join(', ').slice(0, 400)}`)];
}

async function dataOf(stage: Stage): Promise<Wrong[]> {
  const read = ['exec', 'trial-prod-cache', 'cat', '/data/kept'];
  const found = await stage.docker('prod-1', ...read).catch(textOf);
  return found === stage.data ? [] : [faultOf(`the accessory's data is gone: ${found.slice(0, 200)}`, 'volumes')];
}

function faultOf(text: string, lost?: Lost): Wrong {
  return { text, ...(lost === undefined ? {} : { lost }) };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
