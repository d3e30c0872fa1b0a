import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import type { SignaturePolicy } from '../model/evidence/signature-policy.ts';
import { breakableGates, type BreakableGate, type Gate } from '../model/gate.ts';
import type { BrokenGlass } from '../model/revision.ts';

type Opening = Pick<Environment, 'name' | 'breakGlass'>;

/**
 * Returns the gates that a person may pass. Where a policy of signatures is recorded, only what that one opened, too: who changes
 * the configuration cannot use it in one go.
 */
function opened({ breakGlass = [] }: Opening, recorded?: SignaturePolicy): BreakableGate[] {
  return breakGlass.filter(
    (gate) => breakableGates.includes(gate) && (recorded?.breakGlass?.includes(gate) ?? !recorded),
  );
}

/**
 * Returns the gates with those marked as passed that are not met, and that the environment lets a person pass who gives a reason.
 * What says which image it is can be passed by nobody. Throws LockageError for a reason that is none.
 */
export function passByGlass(
  environment: Opening,
  gates: readonly Gate[],
  reason: string,
  recorded?: SignaturePolicy,
): readonly Gate[] {
  if (reason.trim() === '') {
    throw new LockageError('--break-glass wants a reason', {
      hint: 'Say why: it is recorded, and shown to everybody.',
    });
  }
  const mayPass = new Set<string>(opened(environment, recorded));
  return gates.map((gate) => (!gate.met && mayPass.has(gate.gate) ? { ...gate, passed: true as const } : gate));
}

/** Says which gates that are not met nobody may pass here, for somebody who has tried. */
export function unbreakableText(environment: Opening, gates: readonly Gate[], recorded?: SignaturePolicy): string[] {
  const left = [...new Set(gates.flatMap(({ gate, met, passed }) => (met || passed ? [] : [gate])))];
  if (left.length === 0) return [];
  const allowed = opened(environment, recorded);
  const what = allowed.length === 0 ? 'no gate' : `only ${allowed.join(', ')}`;
  return [`--break-glass passes ${what} of ${environment.name}, and not ${left.join(', ')}`];
}

/** Returns what a revision records of gates that were passed by breaking the glass; undefined when none was. */
export function brokenGlass(gates: readonly Gate[] = [], reason: string | undefined): BrokenGlass | undefined {
  const passed = gates.filter((gate) => gate.passed);
  if (passed.length === 0 || reason === undefined) return undefined;
  return {
    reason,
    gates: passed.map(({ gate, from, text }) => ({ gate, text, ...(from === undefined ? {} : { from }) })),
  };
}

/** Returns the names of gates, as `soak qa, freeze`. */
export function gateNames(gates: BrokenGlass['gates']): string {
  return gates.map(({ gate, from }) => (from === undefined ? gate : `${gate} ${from}`)).join(', ');
}
