import type { PublicKey } from './public-key.ts';

/** The kinds of statements that a key may sign. `audit`: heads of the audit log. */
export const statementKinds = [
  'provenance',
  'release',
  'sbom',
  'verification',
  'approval',
  'promotion',
  'rollback',
  'policy',
  'audit',
] as const;

export type StatementKind = (typeof statementKinds)[number];

/** A public key that the project trusts, for what and where it is trusted. */
export interface TrustedKey extends PublicKey {
  readonly name: string;
  readonly signs: readonly StatementKind[];
  /** environments that it may sign for; absent: for all. What is of no environment it may sign anyway */
  readonly environments?: readonly string[];
  /** milliseconds since 1970; what it signed earlier does not count */
  readonly from?: number;
  /** milliseconds since 1970; what it signed from then on does not count */
  readonly until?: number;
  /** why nothing that it has ever signed counts any more: who has a stolen key may give signatures any date */
  readonly revoked?: string;
  /** where its private key is; absent: in the user's folder of keys, under its name */
  readonly private?: PrivateKeySource;
}

/** The place of a private key: a PEM file, a program that signs what it reads, or the ssh agent. */
export type PrivateKeySource =
  { readonly file: string } | { readonly command: readonly string[] } | { readonly agent: true };

/** What somebody wants to believe a key for. */
export interface KeyUse {
  readonly kind: StatementKind;
  /** absent: it is of no single environment */
  readonly environment?: string;
  /** milliseconds since 1970: when it was signed, as the signer says */
  readonly at: number;
}

/** Returns why a key does not count for something; undefined when it does. */
export function keyProblem(key: TrustedKey, { kind, environment, at }: KeyUse): string | undefined {
  const { name, signs, environments, from, until, revoked } = key;
  if (revoked !== undefined) return `the key ${name} is revoked: ${revoked}`;
  if (!signs.includes(kind)) return `the key ${name} may not sign ${kind}`;
  if (environment !== undefined && environments && !environments.includes(environment)) {
    return `the key ${name} may not sign for ${environment}`;
  }
  // Also what is not a number is outside.
  if (from !== undefined && !(at >= from)) return `the key ${name} counts from ${dayOf(from)} on, and signed before`;
  if (until !== undefined && !(at < until)) return `the key ${name} counted until ${dayOf(until)}, and signed later`;
  return undefined;
}

/** Returns the key of that id. */
export function keyOfId(keys: readonly TrustedKey[], keyId: string): TrustedKey | undefined {
  return keys.find((key) => key.keyId === keyId);
}

function dayOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 10);
}
