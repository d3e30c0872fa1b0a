import type { Environment, Project } from '../../model/environment.ts';
import { configurationHash, policyOf } from '../../model/evidence/policy.ts';
import type { SignaturePolicy } from '../../model/evidence/signature-policy.ts';
import { recordedPolicy, type EnvironmentRecord } from '../../model/ledger.ts';
import type { Release } from '../../model/release.ts';
import { environmentNamed } from '../../model/pipeline.ts';
import type { SignatureInputs } from '../../policy/evidence/signature-gates.ts';
import type { Context } from '../ports.ts';

interface Entering {
  readonly release: Release;
  readonly environment: Pick<Environment, 'name'>;
  readonly record: EnvironmentRecord;
}

/**
 * Returns what the gates of evidence and approvals are judged from; undefined, and nothing is asked, where neither the
 * configuration nor the record wants any. Throws LockageError.
 */
export async function signaturesFor(
  { project, evidence }: Pick<Context, 'project' | 'evidence'>,
  { release, environment: { name }, record }: Entering,
): Promise<SignatureInputs | undefined> {
  // With the hosts that are cordoned now: who approved need not know of them.
  const environment = environmentNamed(project, name);
  const policy = policyOf(environment, project.keys);
  if (!policy && !recordedPolicy(record.ledger)) return undefined;
  const [found, signer] = await Promise.all([evidence.of(release), evidence.signer()]);
  return {
    app: project.app,
    ...(policy ? { policy } : {}),
    configuration: configurationHash(environment, project.keys),
    ...found,
    ...(signer ? { promoter: signer.keyId } : {}),
  };
}

/** Returns the policy that a revision records: also that nothing is asked any more, where something was before. */
export function policyToRecord(
  project: Pick<Project, 'keys'>,
  { environment, record }: { readonly environment: Parameters<typeof policyOf>[0]; readonly record: EnvironmentRecord },
): SignaturePolicy | undefined {
  const policy = policyOf(environment, project.keys);
  if (policy) return policy;
  return recordedPolicy(record.ledger) ? { evidence: [], keys: [] } : undefined;
}
