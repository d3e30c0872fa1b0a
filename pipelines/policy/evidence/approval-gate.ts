import type { ExternalApproval } from '../../model/evidence/external-approval.ts';
import type { ApprovalRule, OutsidePolicy } from '../../model/evidence/signature-policy.ts';
import type { Gate } from '../../model/gate.ts';
import type { Release } from '../../model/release.ts';
import { keyProblem, type TrustedKey } from '../../model/trusted-key.ts';
import { printable } from '../../text/printable.ts';
import { clockTolerance } from '../soak.ts';
import { isExpired } from './evidence-gates.ts';
import { statementProblem, type Bundles, type Signed } from './statements.ts';

/** The approvals that were given outside, as GitHub told of them. */
export interface OutsideApprovals {
  /** which GitHub was asked, see `OutsidePolicy` */
  readonly of: string;
  readonly given: readonly ExternalApproval[];
  /** why it did not tell */
  readonly problem?: string;
}

/** What approvals are judged by. */
export interface ApprovalCase {
  readonly app: string;
  readonly release: Release;
  readonly environment: string;
  /** that of `configurationHash` */
  readonly configuration: string;
  readonly keys: readonly TrustedKey[];
  readonly bundles: Bundles;
  /** who may approve outside, as the policy has it, and what was found there */
  readonly github?: OutsidePolicy;
  readonly outside?: OutsideApprovals;
  /** name of the key of who promotes; absent: nobody who can sign */
  readonly promoter?: string;
  /** why who promotes has not shown who they are */
  readonly unshown?: string;
  readonly now: number;
}

/**
 * Returns the gate of approvals: as many people as are wanted have agreed to this image, in this environment, as it is
 * configured now, and nobody who may has rejected it. Of each person the last word counts.
 */
export function approvalGate(inputs: ApprovalCase, rule: ApprovalRule): Gate {
  const gate = 'approvals';
  const { release, environment } = inputs;
  const command = `lockage approve ${release.version} --to ${environment}`;
  const unknown = unknownPeople(inputs, rule);
  if (unknown !== undefined) return { gate, met: false, ...unknown };
  const words = wordsThatCount(inputs, rule);
  const rejected = words.find(isRejection);
  if (rejected) {
    const { name } = rejected.key;
    const text = `${name} has rejected ${release.version} for ${environment}: ${reasonOf(rejected)}`;
    return { gate, met: false, text, by: name, remedy: `${name} can approve it after all.` };
  }
  const judged = words.map((word) => ({ name: word.key.name, problem: approvalProblem(inputs, rule, word) }));
  const outside = approvedOutside(inputs, rule);
  const good = [...judged.filter(({ problem }) => problem === undefined).map(({ name }) => name), ...outside];
  const wanted = `${rule.count} of ${rule.from?.join(', ') ?? 'those who may'}`;
  if (good.length >= rule.count)
    return { gate, met: true, text: `approved by ${good.join(', ')}`, by: good.join(', ') };
  const others = judged.flatMap(({ problem }) => problem ?? []);
  const text = [
    `${good.length} approvals${good.length > 0 ? ` (${good.join(', ')})` : ''}, and ${wanted} are wanted`,
    ...others,
    ...(inputs.outside?.problem === undefined ? [] : [inputs.outside.problem]),
  ];
  return { gate, met: false, text: text.join('; '), command };
}

/** Returns the names of those whose word counts by a rule, and whose last one is a rejection. */
export function rejectedBy(inputs: WordCase, rule: ApprovalRule): string[] {
  return wordsThatCount(inputs, rule)
    .filter(isRejection)
    .map(({ key: { name } }) => name);
}

function wordsThatCount(inputs: WordCase, { from }: ApprovalRule): Signed[] {
  return lastWords(inputs).filter(({ key: { name } }) => from?.includes(name) ?? true);
}

function isRejection({ predicate }: Signed): boolean {
  return predicate['decision'] !== 'approved';
}

/**
 * Returns who has approved on GitHub, each once: of those whom both the rule and the policy name, where the GitHub of the policy
 * was asked.
 */
function approvedOutside({ release, environment, github, outside, now }: ApprovalCase, rule: ApprovalRule): string[] {
  if (!github || outside?.of !== github.of) return [];
  const good = outside.given.filter(({ by, id, at, ...given }) => {
    const person = github.approvers.find((each) => `github:${each.id}` === id && `github:${each.login}` === by);
    const since = Date.parse(at);
    return (
      person !== undefined &&
      rule.from?.includes(by) === true &&
      !(given.isPromoter && rule.not?.includes('promoter')) &&
      given.environment === environment &&
      given.digest === release.digest &&
      since <= now + clockTolerance &&
      since + rule.within > now
    );
  });
  return [...new Set(good.map(({ by }) => by))];
}

/** Returns what cannot be told apart, where somebody is not to count and nobody knows who that is. */
function unknownPeople({ promoter, unshown, bundles, release }: ApprovalCase, { not = [] }: ApprovalRule) {
  if (not.includes('promoter') && promoter === undefined) {
    const why = unshown === undefined ? '' : ` (${unshown})`;
    const text = `who promotes is not known${why}, and is not to approve`;
    return { text, remedy: 'Promote with a key of your own that may sign `promotion` (see `lockage key ls`).' };
  }
  if (not.includes('builder') && buildersIn(bundles).length === 0) {
    const text = `who built ${release.version} is not known, and is not to approve`;
    return { text, remedy: 'Who builds signs it: a key that may sign `provenance`, where `lockage release` runs.' };
  }
  return undefined;
}

type WordCase = Pick<ApprovalCase, 'app' | 'release' | 'environment' | 'bundles' | 'now'>;

/** Returns the last word of each person about this image in this environment; of two at once, the rejection. */
function lastWords({ app, release, environment, bundles, now }: WordCase): Signed[] {
  const words = new Map<string, Signed>();
  const isMeant = ({ kind, predicate }: Signed) =>
    kind === 'approval' &&
    predicate['app'] === app &&
    predicate['environment'] === environment &&
    predicate['version'] === release.version;
  for (const word of bundles.signed.filter(isMeant)) {
    if (statementProblem(word, { environment, now }) !== undefined) continue;
    const before = words.get(word.key.name);
    const isLater = !before || word.at > before.at || (word.at === before.at && isRejection(word));
    if (isLater) words.set(word.key.name, word);
  }
  return [...words.values()];
}

function approvalProblem(
  { configuration, promoter, bundles, environment, now }: ApprovalCase,
  { not = [], within }: ApprovalRule,
  { key: { name }, at, predicate, ...rest }: Signed,
): string | undefined {
  if (not.includes('promoter') && name === promoter) return `${name} promotes it`;
  if (not.includes('builder') && buildersIn(bundles).includes(name)) return `${name} built it`;
  if (predicate['configuration'] !== configuration)
    return `${environment} is configured otherwise since ${name} approved`;
  if (isExpired({ ...rest, predicate }, now) || at + within <= now) return `the approval of ${name} has expired`;
  return undefined;
}

/** Returns the names of the keys that signed what was built. */
function buildersIn({ signed }: Bundles): string[] {
  return signed.flatMap(({ kind, key }) => (kind === 'provenance' || kind === 'release' ? [key.name] : []));
}

function reasonOf({ predicate: { reason } }: Signed): string {
  return typeof reason === 'string' ? printable(reason.slice(0, 200)) : 'without a reason';
}

/** Returns the name of who promotes with a key, where it may sign promotions to an environment. */
export function promoterOf(
  keys: readonly TrustedKey[],
  {
    keyId,
    environment,
    now,
  }: { readonly keyId: string | undefined; readonly environment: string; readonly now: number },
): string | undefined {
  const key = keys.find((each) => each.keyId === keyId);
  return key && keyProblem(key, { kind: 'promotion', environment, at: now }) === undefined ? key.name : undefined;
}
