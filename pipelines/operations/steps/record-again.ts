import type { Environment } from '../../model/environment.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { Context } from '../ports.ts';
import { stateNow, type Known } from './turn-now.ts';

/** A ledger to take the place of the recorded one. */
export interface NewLedger extends Known {
  readonly record: EnvironmentRecord;
  /** for the stack's history */
  readonly message: string;
}

/** Writes another ledger; what runs stays as it is. */
export async function recordAgain(
  context: Context,
  environment: Environment,
  { message, ...known }: NewLedger,
): Promise<void> {
  await context.stacks.deploy(stateNow(context, environment.name, known), message);
}

/** The same where a host in service does not answer: those that do hear of it, and nothing else is asked of any. */
export async function recordAside(
  context: Context,
  environment: Environment,
  { message, ...known }: NewLedger,
): Promise<void> {
  await context.stacks.adopt(stateNow(context, environment.name, known), message);
}
