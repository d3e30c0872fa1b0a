import { LockageError } from '../../errors.ts';
import type { Environment, Project } from '../../model/environment.ts';
import { configurationHash, policyOf } from '../../model/evidence/policy.ts';
import type { SignaturePolicy } from '../../model/evidence/signature-policy.ts';
import { recordedPolicy, type EnvironmentRecord } from '../../model/ledger.ts';
import type { Release } from '../../model/release.ts';
import { environmentNamed } from '../../model/pipeline.ts';
import type { OutsideApprovals } from '../../policy/evidence/approval-gate.ts';
import type { Promoter, SignatureInputs } from '../../policy/evidence/signature-gates.ts';
import type { ApprovalQuestion } from '../ports/approvals.ts';
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
  context: Pick<Context, 'project' | 'evidence' | 'approvals'>,
  { release, environment: { name }, record }: Entering,
): Promise<SignatureInputs | undefined> {
  const { project, evidence } = context;
  // With the hosts that are cordoned now: who approved need not know of them.
  const environment = environmentNamed(project, name);
  const policy = policyOf(environment, project);
  const recorded = recordedPolicy(record.ledger)?.policy;
  if (!policy && !recorded) return undefined;
  const isExcluded = [policy, recorded].some((each) => each?.approvals?.not?.includes('promoter'));
  const configuration = configurationHash(environment, project.keys);
  const question = { environment: name, release, configuration };
  const [found, promoter, outside] = await Promise.all([
    evidence.of(release),
    isExcluded ? promoterHere(evidence) : undefined,
    policy?.github && outsideApprovals(context, question, policy.github.of),
  ]);
  return {
    app: project.app,
    ...(policy ? { policy } : {}),
    configuration,
    ...found,
    ...(outside ? { outside } : {}),
    ...(promoter ? { promoter } : {}),
  };
}

/** Returns who promotes, as they have shown: to name somebody else's key would let one person approve their own change. */
async function promoterHere(evidence: Context['evidence']): Promise<Promoter | undefined> {
  const signer = await evidence.signer();
  if (!signer) return undefined;
  try {
    await evidence.show();
    return { keyId: signer.keyId };
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    return { problem: error.message };
  }
}

/** Asks outside who has approved. Who does not answer has approved nothing, and is named. */
async function outsideApprovals(
  { approvals }: Pick<Context, 'approvals'>,
  question: ApprovalQuestion,
  of: string,
): Promise<OutsideApprovals> {
  try {
    return { of, given: (await approvals?.find(question)) ?? [] };
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    return { of, given: [], problem: `GitHub was not asked: ${error.message}` };
  }
}

/** Returns the policy that a revision records: also that nothing is asked any more, where something was before. */
export function policyToRecord(
  project: Pick<Project, 'keys' | 'integrations'>,
  { environment, record }: { readonly environment: Parameters<typeof policyOf>[0]; readonly record: EnvironmentRecord },
): SignaturePolicy | undefined {
  const policy = policyOf(environment, project);
  if (policy) return policy;
  if (!recordedPolicy(record.ledger)) return undefined;
  const { breakGlass = [] } = environment;
  return { evidence: [], keys: [], ...(breakGlass.length === 0 ? {} : { breakGlass }) };
}
