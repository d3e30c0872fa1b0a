import type { SignaturePolicy } from '../../model/evidence/signature-policy.ts';
import { weakenings } from '../../model/evidence/policy.ts';
import type { Gate } from '../../model/gate.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { Release } from '../../model/release.ts';
import { recordedPolicy } from '../../model/ledger.ts';
import { approvalGate, promoterOf, rejectedBy, type OutsideApprovals } from './approval-gate.ts';
import { evidenceGate, sequenceGate } from './evidence-gates.ts';
import { readBundles } from './statements.ts';

/** Who promotes: the id of the key that they have shown, or why they have not. */
export type Promoter = { readonly keyId: string } | { readonly problem: string };

/** What was found of signatures for a release, and who asks. */
export interface SignatureInputs {
  readonly app: string;
  /** what is configured; absent: nothing is asked for */
  readonly policy?: SignaturePolicy;
  /** that of `configurationHash` */
  readonly configuration: string;
  /** bundles, wherever they were found */
  readonly bundles: readonly string[];
  /** absent: nobody outside was asked */
  readonly outside?: OutsideApprovals;
  /** why not all that there may be was found */
  readonly problem?: string;
  /** absent: nobody who can sign, or it does not matter who */
  readonly promoter?: Promoter;
}

interface Entering {
  readonly release: Release;
  readonly environment: string;
  readonly record: EnvironmentRecord;
  readonly now: number;
}

/**
 * Returns the gates of evidence and approvals. A policy that asks for less than the one that was recorded with what runs
 * counts only once a release has come in under that one: so nobody lowers the bar and steps over it in one go.
 */
export function signatureGates(entering: Entering, inputs: SignatureInputs): Gate[] {
  const recorded = recordedPolicy(entering.record.ledger);
  const weaker = recorded
    ? [...weakenings(recorded.policy, inputs.policy), ...silenced(entering, inputs, recorded.policy)]
    : [];
  const own = inputs.policy ? gatesUnder(entering, inputs, inputs.policy) : [];
  if (!recorded || weaker.length === 0) return own;
  const before = gatesUnder(entering, inputs, recorded.policy);
  const unmet = before.filter(({ met }) => !met);
  const what = `the policy asks for less than that of revision ${recorded.revision} (${weaker.slice(0, 3).join(', ')})`;
  const met = unmet.length === 0;
  const rest = met
    ? 'and the release has passed that, too'
    : `and that one counts: ${unmet.map(({ text }) => text).join('; ')}`;
  const [command] = unmet.flatMap((gate) => gate.command ?? []);
  return [...own, { gate: 'policy', met, text: `${what}, ${rest}`, ...(command === undefined ? {} : { command }) }];
}

/**
 * Returns who has rejected the release and would not be heard any more, each as a short text: a rejection stands however it is
 * configured. A key that is revoked has said nothing, as a thief could have.
 */
function silenced(entering: Entering, inputs: SignatureInputs, recorded: SignaturePolicy): string[] {
  const { policy } = inputs;
  const isRevoked = (name: string) => policy?.keys.some((key) => key.name === name && key.revoked !== undefined);
  const heard = policy ? rejectedUnder(entering, inputs, policy) : [];
  return rejectedUnder(entering, inputs, recorded)
    .filter((name) => !heard.includes(name) && !isRevoked(name))
    .map((name) => `${name}, who has rejected it, is not asked any more`);
}

function rejectedUnder(
  entering: Entering,
  { app, bundles: texts }: SignatureInputs,
  { approvals, keys }: SignaturePolicy,
): string[] {
  if (!approvals) return [];
  const bundles = readBundles(texts, entering.release.digest, keys);
  return rejectedBy({ ...entering, app, bundles }, approvals);
}

function gatesUnder(
  entering: Entering,
  inputs: SignatureInputs,
  { evidence, approvals, keys, github }: SignaturePolicy,
): Gate[] {
  const { release, environment, now } = entering;
  const { signed, refused } = readBundles(inputs.bundles, release.digest, keys);
  const bundles = { signed, refused: [...(inputs.problem === undefined ? [] : [inputs.problem]), ...refused] };
  const common = { ...entering, app: inputs.app, bundles };
  const promoter =
    inputs.promoter && 'keyId' in inputs.promoter
      ? promoterOf(keys, { keyId: inputs.promoter.keyId, environment, now })
      : undefined;
  const unshown = inputs.promoter && 'problem' in inputs.promoter ? inputs.promoter.problem : undefined;
  const sequence = evidence.includes('release') ? sequenceGate(common) : undefined;
  return [
    ...evidence.map((wanted) => evidenceGate(common, wanted)),
    ...(sequence ? [sequence] : []),
    ...(approvals
      ? [
          approvalGate(
            {
              ...common,
              keys,
              configuration: inputs.configuration,
              ...(promoter === undefined ? {} : { promoter }),
              ...(unshown === undefined ? {} : { unshown }),
              ...(github && inputs.outside ? { github, outside: inputs.outside } : {}),
            },
            approvals,
          ),
        ]
      : []),
  ];
}
