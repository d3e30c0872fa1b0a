import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import { breakableGates, type Gate } from '../model/gate.ts';
import type { BrokenGlass } from '../model/revision.ts';

/**
 * Returns the gates with those marked as passed that are not met, and that the environment lets a person pass who gives a reason.
 * What says which image it is can be passed by nobody. Throws LockageError for a reason that is none.
 */
export function passByGlass(
  { breakGlass = [] }: Pick<Environment, 'breakGlass'>,
  gates: readonly Gate[],
  reason: string,
): readonly Gate[] {
  if (reason.trim() === '') {
    throw new LockageError('--break-glass wants a reason', {
      hint: 'Say why: it is recorded, and shown to everybody.',
    });
  }
  const mayPass = new Set<string>(breakGlass.filter((gate) => breakableGates.includes(gate)));
  return gates.map((gate) => (!gate.met && mayPass.has(gate.gate) ? { ...gate, passed: true as const } : gate));
}

/** Says which gates that are not met nobody may pass here, for somebody who has tried. */
export function unbreakableText(
  environment: Pick<Environment, 'name' | 'breakGlass'>,
  gates: readonly Gate[],
): string[] {
  const left = [...new Set(gates.flatMap(({ gate, met, passed }) => (met || passed ? [] : [gate])))];
  if (left.length === 0) return [];
  const allowed = environment.breakGlass ?? [];
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
