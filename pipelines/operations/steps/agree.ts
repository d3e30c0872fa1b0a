import { RecordChangedError } from '../../errors.ts';
import type { Environment } from '../../model/environment.ts';
import { canonicalJson } from '../../model/fingerprint.ts';
import type { Plan } from '../../model/plan.ts';
import { planRollout } from '../../planning/plan-rollout.ts';
import type { RolloutInputs } from '../../planning/rollout-inputs.ts';
import { isAhead, refuseAhead } from '../../policy/fence.ts';
import { checkNames } from '../../policy/release-checks.ts';
import type { Context } from '../ports.ts';
import { foundationRequest } from './foundation-request.ts';

/** The agreement of a person, before any lock was taken. */
export interface Agreement {
  readonly plan: Plan;
  /** milliseconds since 1970: when they answered */
  readonly at: number;
}

/**
 * Shows what a rollout would do, and asks: nobody else has to wait for the answer. Undefined where nobody is asked. Throws
 * LockageError when the person says no, or the rollout cannot be carried out.
 */
export async function agree(
  context: Context,
  inputs: RolloutInputs,
  { whole, question }: { readonly whole: Environment; readonly question?: string | undefined },
): Promise<Agreement | undefined> {
  const { terminal, stacks } = context;
  if (!terminal.asks) return undefined;
  await refuseOlderState(context, inputs);
  const rollout = planRollout(inputs);
  const notes = await stacks.foundationNotes(foundationRequest(inputs, whole));
  const plan = { ...rollout.plan, notes: [...rollout.plan.notes, ...notes] };
  if (!rollout.unchanged) {
    checkNames(inputs.app, plan.containers, inputs.reports);
    terminal.plan(plan);
    await terminal.confirm(question ?? questionOf(inputs));
  } else if (notes.length > 0) {
    for (const text of notes) terminal.note(text);
    await terminal.confirm(`Change what ${inputs.environment.name} stands on?`);
  }
  return { plan, at: context.now() };
}

/**
 * Throws LockageError when hosts know more than the record. Without a lock, somebody may have recorded something between
 * the look at the record and the look at the hosts.
 */
export async function refuseOlderState(
  context: Context,
  { environment, record, reports }: Pick<RolloutInputs, 'environment' | 'record' | 'reports'>,
): Promise<void> {
  if (!isAhead(record, reports)) return;
  refuseAhead(environment, await context.records.environment(environment.name), reports);
}

/** Throws RecordChangedError when what would be done now is not what the person said yes to. */
export function refuseOtherPlan(agreed: Agreement, plan: Plan): void {
  if (contentOf(agreed.plan) === contentOf(plan)) return;
  throw new RecordChangedError(`${plan.environment} is not as it was when you were asked: nothing was done`, {
    hint: 'Run the same command again: it shows what would be done now.',
  });
}

/** Gates are passed again under the lock, and say how long ago something was. */
function contentOf({ from, gates: _, ...plan }: Plan): string {
  return canonicalJson({ ...plan, from: from?.number ?? 0 });
}

function questionOf({ environment, release, counts, heals }: RolloutInputs): string {
  if (heals) return `Heal ${environment.name}?`;
  return `${counts ? `Scale ${release.version} in` : `Promote ${release.version} to`} ${environment.name}?`;
}
