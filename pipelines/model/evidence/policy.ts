import { createHash } from 'node:crypto';
import type { Environment, Project } from '../environment.ts';
import { canonicalJson } from '../fingerprint.ts';
import type { Approver, GitHub } from '../integrations.ts';
import { own } from '../own.ts';
import { toRecord } from '../target-record.ts';
import type { TrustedKey } from '../trusted-key.ts';
import type { ApprovalRule, OutsidePolicy, SignaturePolicy } from './signature-policy.ts';

/** Returns what is configured for an environment; undefined where it asks for nothing. */
export function policyOf(
  { name, evidence = [], approvals, breakGlass = [] }: PolicyParts,
  { keys = [], integrations }: Pick<Project, 'keys' | 'integrations'>,
): SignaturePolicy | undefined {
  if (evidence.length === 0 && !approvals) return undefined;
  // Where a private key lies is its owner's matter.
  const counting = keys.map(({ private: _, ...key }) => key);
  return {
    evidence,
    ...(approvals ? { approvals } : {}),
    keys: counting,
    ...outsidePolicy(name, approvals, integrations?.github),
    ...(breakGlass.length === 0 ? {} : { breakGlass }),
  };
}

type PolicyParts = Pick<Environment, 'name' | 'evidence' | 'approvals' | 'breakGlass'>;

/** What names a person on GitHub among those who may approve. */
export const onGitHub = 'github:';

/** Returns whom GitHub is asked about: those of its approvers whom the rule names. */
function outsidePolicy(
  environment: string,
  { from = [] }: Partial<ApprovalRule> = {},
  github?: GitHub,
): Pick<SignaturePolicy, 'github'> {
  const approvers = (own(github?.approvers, environment) ?? []).filter(({ login }) =>
    from.includes(`${onGitHub}${login}`),
  );
  if (!github || approvers.length === 0) return {};
  return { github: { of: `${github.baseUrl} ${github.owner}/${github.name}`, approvers } };
}

/**
 * Returns the SHA-256, in hex, of how an environment is configured: containers, hosts, what it asks for and whose keys count.
 * Nothing in it depends on who asks, or from where.
 */
export function configurationHash(environment: Environment, keys: readonly TrustedKey[] = []): string {
  const { hosts, orchestrator, machines, ...rest } = environment;
  const places = (machines ? [] : [...hosts, ...(orchestrator ? [orchestrator] : [])]).map((target) => {
    const { name, url, address } = toRecord(target);
    return { name, url, address };
  });
  const counting = keys.map(({ private: _, ...key }) => key);
  return createHash('sha256')
    .update(canonicalJson({ ...rest, machines, places, keys: counting }))
    .digest('hex');
}

/** Returns in which ways a policy asks for less than a recorded one, or trusts others: each as a short text. */
export function weakenings(recorded: SignaturePolicy, now: SignaturePolicy | undefined): string[] {
  const { evidence = [], approvals, keys = [] } = now ?? {};
  return [
    ...recorded.evidence.flatMap((each) => (evidence.includes(each) ? [] : [`${each} is not asked for any more`])),
    ...(recorded.approvals ? weakerApprovals(recorded.approvals, approvals) : []),
    ...(now?.github && isOtherGitHub(recorded.github, now.github) ? ['others are asked on GitHub'] : []),
    ...keys.flatMap((key) => (isCovered(key, recorded.keys) ? [] : [`the key ${key.name} counts for more`])),
  ];
}

function weakerApprovals(before: ApprovalRule, now: ApprovalRule | undefined): string[] {
  if (!now) return ['no approvals are asked for any more'];
  const others = now.from
    ? now.from.filter((name) => before.from && !before.from.includes(name))
    : before.from && ['all'];
  return [
    ...(now.count < before.count ? [`${now.count} approvals instead of ${before.count}`] : []),
    ...(others?.length ? [`approvals of others: ${others.join(', ')}`] : []),
    ...(before.not ?? []).flatMap((who) => (now.not?.includes(who) ? [] : [`approvals of the ${who} count`])),
    ...(now.within > before.within ? ['approvals count for longer'] : []),
  ];
}

function isOtherGitHub(before: OutsidePolicy | undefined, now: OutsidePolicy): boolean {
  return now.of !== before?.of || !now.approvers.every((each) => isApprover(before, each));
}

/** Returns whether a policy knows a person on GitHub, by name and number. */
export function isApprover(policy: OutsidePolicy | undefined, { login, id }: Approver): boolean {
  return policy?.approvers.some((each) => each.login === login && each.id === id) ?? false;
}

/** Returns whether a key counts for nothing that the key of the same name did not count for before. */
function isCovered(key: TrustedKey, before: readonly TrustedKey[]): boolean {
  const old = before.find(({ name, keyId }) => name === key.name && keyId === key.keyId);
  if (!old) return false;
  const within = (a: readonly string[] | undefined, b: readonly string[] | undefined) =>
    b === undefined || (a?.every((each) => b.includes(each)) ?? false);
  return (
    key.signs.every((kind) => old.signs.includes(kind)) &&
    within(key.environments, old.environments) &&
    (key.from ?? -Infinity) >= (old.from ?? -Infinity) &&
    (key.until ?? Infinity) <= (old.until ?? Infinity) &&
    (old.revoked === undefined || key.revoked !== undefined) &&
    key.builder === old.builder
  );
}
