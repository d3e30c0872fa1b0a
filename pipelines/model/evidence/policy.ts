import { createHash } from 'node:crypto';
import type { Environment } from '../environment.ts';
import { canonicalJson } from '../fingerprint.ts';
import { toRecord } from '../target-record.ts';
import type { TrustedKey } from '../trusted-key.ts';
import type { ApprovalRule, SignaturePolicy } from './signature-policy.ts';

/** Returns what is configured for an environment; undefined where it asks for nothing. */
export function policyOf(
  { evidence = [], approvals, breakGlass = [] }: Pick<Environment, 'evidence' | 'approvals' | 'breakGlass'>,
  keys: readonly TrustedKey[] = [],
): SignaturePolicy | undefined {
  if (evidence.length === 0 && !approvals) return undefined;
  // Where a private key lies is its owner's matter.
  const counting = keys.map(({ private: _, ...key }) => key);
  return {
    evidence,
    ...(approvals ? { approvals } : {}),
    keys: counting,
    ...(breakGlass.length === 0 ? {} : { breakGlass }),
  };
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
