import { LockageError } from '../../errors.ts';
import type { Digest, Release } from '../release.ts';
import type { StatementKind } from '../trusted-key.ts';

/** The kinds of statements about an image. */
export type EvidenceKind = Exclude<StatementKind, 'audit'>;

/** The types of predicates, by what they say. Two are standards, which others make and read as well. */
export const predicateTypes: Readonly<Record<EvidenceKind, string>> = {
  provenance: 'https://slsa.dev/provenance/v1',
  sbom: 'https://cyclonedx.org/bom',
  release: 'urn:lockage:release:v1',
  verification: 'urn:lockage:verification:v1',
  approval: 'urn:lockage:approval:v1',
  promotion: 'urn:lockage:promotion:v1',
  rollback: 'urn:lockage:rollback:v1',
};

export const statementType = 'https://in-toto.io/Statement/v1';
/** The version before, which says the same in the same members: cosign still writes it. */
const earlierType = 'https://in-toto.io/Statement/v0.1';

/** What a statement says about its subject. */
export type Predicate = Readonly<Record<string, unknown>>;

/** An in-toto Statement v1 about one image. */
export interface Statement {
  readonly kind: EvidenceKind;
  readonly subject: Digest;
  readonly predicate: Predicate;
}

/** Returns the text that is signed: a Statement v1 whose one subject is the image of a release. */
export function statementText(
  { repository, digest }: Pick<Release, 'repository' | 'digest'>,
  kind: EvidenceKind,
  predicate: Predicate,
): string {
  return JSON.stringify({
    _type: statementType,
    subject: [{ name: repository, digest: { sha256: digest.slice('sha256:'.length) } }],
    predicateType: predicateTypes[kind],
    predicate,
  });
}

/**
 * Reads a statement that was signed. Throws LockageError saying what is wrong: another type, several subjects, or a digest
 * that is none.
 */
export function parseStatement(text: string): Statement {
  const read = parsed(text);
  const { _type: type, subject, predicateType, predicate } = read;
  if (type !== statementType && type !== earlierType) throw new LockageError('it is no in-toto Statement v1');
  const kind = (Object.keys(predicateTypes) as EvidenceKind[]).find((each) => predicateTypes[each] === predicateType);
  if (!kind) throw new LockageError('its predicate is of a type that is not known here');
  if (!isMapping(predicate)) throw new LockageError('its predicate is no mapping');
  return { kind, subject: subjectOf(subject), predicate };
}

/** Returns when a statement was made, as its signer says: ms since 1970; not a number where it does not say. */
export function timeOf({ kind, predicate }: Statement): number {
  const at = {
    provenance: () => member(member(member(predicate, 'runDetails'), 'metadata'), 'finishedOn'),
    sbom: () => member(member(predicate, 'metadata'), 'timestamp'),
  };
  const found = kind === 'provenance' || kind === 'sbom' ? at[kind]() : predicate['at'];
  return typeof found === 'string' && found.length < 64 ? Date.parse(found) : Number.NaN;
}

/** Returns a member of what may be no mapping. */
export function member(value: unknown, key: string): unknown {
  return isMapping(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** Returns whether a value is a mapping. */
export function isMapping(value: unknown): value is Predicate {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): Predicate {
  try {
    const read: unknown = JSON.parse(text);
    if (isMapping(read)) return read;
  } catch {
    // said below
  }
  throw new LockageError('what is signed is no JSON mapping');
}

function subjectOf(subject: unknown): Digest {
  const [only, another]: unknown[] = Array.isArray(subject) ? subject : [];
  const digests = member(only, 'digest');
  const sha256 = member(digests, 'sha256');
  const isAlone = another === undefined && isMapping(digests) && Object.keys(digests).length === 1;
  if (isAlone && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)) return `sha256:${sha256}`;
  throw new LockageError('its subject is not exactly one SHA-256');
}
