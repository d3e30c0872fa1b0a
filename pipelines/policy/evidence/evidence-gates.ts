import type { Wanted } from '../../model/evidence/signature-policy.ts';
import { isMapping, member } from '../../model/evidence/statement.ts';
import type { Gate } from '../../model/gate.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { Release } from '../../model/release.ts';
import type { TrustedKey } from '../../model/trusted-key.ts';
import { statementProblem, type Bundles, type Signed } from './statements.ts';

/** What evidence is judged by. */
export interface EvidenceCase {
  readonly app: string;
  readonly release: Release;
  readonly environment: string;
  readonly record: EnvironmentRecord;
  readonly bundles: Bundles;
  readonly now: number;
}

/** Returns the gate of one kind of evidence: met when a statement of it counts, else with each reason why none does. */
export function evidenceGate(inputs: EvidenceCase, wanted: Wanted): Gate {
  const [kind = '', place] = wanted.split('/');
  const found = inputs.bundles.signed.filter(
    (each) => each.kind === kind && (place === undefined || each.predicate['environment'] === place),
  );
  const problems = found.map((each) => problemOf(inputs, each, place));
  const good = found.find((_, index) => problems[index] === undefined);
  const gate = { gate: 'evidence', from: wanted } as const;
  const { version } = inputs.release;
  if (good)
    return { ...gate, met: true, text: `${wanted} of ${version} is signed by ${good.key.name}`, by: good.key.name };
  const reasons = found.length > 0 ? problems.flatMap((each) => each ?? []) : inputs.bundles.refused;
  const why = [...new Set(reasons)].slice(0, 3).join('; ');
  const text = `${version} has no ${wanted} that counts${why === '' ? '' : `: ${why}`}`;
  return { ...gate, met: false, text, ...helpFor(inputs, wanted) };
}

function helpFor({ release: { version } }: EvidenceCase, wanted: Wanted): Pick<Gate, 'command' | 'remedy'> {
  if (!wanted.startsWith('verification/')) {
    return { remedy: `Who builds signs it: \`lockage release ${version}\` where the key is.` };
  }
  return { command: `lockage promote ${version} --to ${wanted.split('/')[1]}` };
}

function problemOf(inputs: EvidenceCase, signed: Signed, place: string | undefined): string | undefined {
  const environment = place ?? inputs.environment;
  const problem = statementProblem(signed, { environment, now: inputs.now });
  if (problem !== undefined) return problem;
  switch (signed.kind) {
    case 'provenance':
      return provenanceProblem(inputs.release, signed);
    case 'release':
      return releaseProblem(inputs, signed);
    case 'verification':
      return verificationProblem(inputs, signed);
    case 'sbom':
    case 'approval':
    case 'promotion':
    case 'rollback':
      return undefined;
  }
}

/** The id by which a builder names itself in provenance, where nothing else is configured for its key. */
export function builderId({ name, builder }: Pick<TrustedKey, 'name' | 'builder'>): string {
  return builder ?? `urn:lockage:builder:${name}`;
}

function provenanceProblem({ commit }: Release, { key, predicate }: Signed): string | undefined {
  const id = member(member(member(predicate, 'runDetails'), 'builder'), 'id');
  if (id !== builderId(key)) return `its builder is not ${builderId(key)}, whose key signed it`;
  const materials = member(member(predicate, 'buildDefinition'), 'resolvedDependencies');
  const commits = Array.isArray(materials) ? materials.map((each) => member(member(each, 'digest'), 'gitCommit')) : [];
  if (commit !== undefined && !commits.includes(commit)) return `it is not of the commit ${commit.slice(0, 7)}`;
  return undefined;
}

function releaseProblem({ app, release }: EvidenceCase, { predicate }: Signed): string | undefined {
  const { version, sequence } = predicate;
  if (predicate['app'] !== app) return 'it is of another application';
  if (version !== release.version) return `it is of the version ${printableVersion(version)}`;
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 1)
    return 'it has no sequence number';
  if (release.sequence !== undefined && sequence !== release.sequence) {
    return `it has the sequence number ${sequence}, and ${release.sequence} is recorded`;
  }
  return undefined;
}

/**
 * Returns the gate against what is older: a release that was made before one that has run here needs a signed authorisation,
 * since who can push could offer one with a known hole again. Undefined where nothing later ran.
 */
export function sequenceGate(inputs: EvidenceCase): Gate | undefined {
  const { app, release, record, bundles, environment, now } = inputs;
  // Also what ran before the environment was archived.
  const ran = record.ledger.revisions.filter(({ result }) => result === 'succeeded');
  const latest = Math.max(0, ...ran.flatMap((revision) => revision.release.sequence ?? []));
  // Who writes the record can take a number out of it.
  const sequence = release.sequence ?? signedSequence(inputs);
  if (sequence >= latest) return undefined;
  const gate = { gate: 'evidence', from: 'sequence' } as const;
  const what = `${release.version} was made before what has run in ${environment}`;
  const authorised = bundles.signed.find(
    (signed) =>
      signed.kind === 'rollback' &&
      signed.predicate['app'] === app &&
      signed.predicate['environment'] === environment &&
      signed.predicate['version'] === release.version &&
      !isExpired(signed, now) &&
      statementProblem(signed, { environment, now }) === undefined,
  );
  if (authorised) return { ...gate, met: true, text: `${what}: ${authorised.key.name} has authorised it` };
  const command = `lockage approve ${release.version} --to ${environment} --older`;
  return { ...gate, met: false, text: `${what} (${sequence} of ${latest})`, command };
}

/** Returns the number that is signed for a release; 0 where none is that counts. */
function signedSequence(inputs: EvidenceCase): number {
  const counting = inputs.bundles.signed.filter(
    (signed) => signed.kind === 'release' && problemOf(inputs, signed, undefined) === undefined,
  );
  const numbers = counting.map(({ predicate }) => Number(predicate['sequence']));
  return numbers.length === 0 ? 0 : Math.min(...numbers);
}

/** Returns whether a statement says that it counts no more; one that has to say so and does not counts never. */
export function isExpired({ predicate: { expires } }: Pick<Signed, 'predicate'>, now: number): boolean {
  return !(typeof expires === 'string' && Date.parse(expires) > now);
}

function verificationProblem({ app, release }: EvidenceCase, { predicate }: Signed): string | undefined {
  if (predicate['app'] !== app) return 'it is of another application';
  if (predicate['version'] !== release.version) return `it is of the version ${printableVersion(predicate['version'])}`;
  return predicate['result'] === 'passed' && isMapping(predicate['checked'])
    ? undefined
    : 'it does not say that it passed';
}

function printableVersion(version: unknown): string {
  return typeof version === 'string' ? JSON.stringify(version.slice(0, 40)) : 'of no name';
}
