import { messageOf, PartialError } from '../../errors.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import { planHealing, type Healing, type Untreated } from '../../planning/healing.ts';
import type { RolloutInputs } from '../../planning/rollout-inputs.ts';
import type { Context } from '../ports.ts';

/**
 * Keeps what is known of containers that drifted, before they go. Returns the folder; undefined where none goes. Throws
 * LockageError where nothing can be written: what a person might look for must not be gone.
 */
export async function keepEvidence(
  context: Context,
  environment: string,
  { secrets }: Pick<EnvironmentRecord, 'secrets'>,
  { treated }: Healing,
): Promise<string | undefined> {
  const evidence = treated.filter(({ by }) => by !== 'switch');
  if (evidence.length === 0) return undefined;
  context.terminal.step('keep', 'what drifted');
  const output = await masksAll(context, environment, secrets);
  const folder = await context.drift.keep(environment, evidence, { output });
  context.terminal.note(`what was found of them is in ${folder}`);
  return folder;
}

/** Returns whether all secrets that containers may have printed are known, so that they are masked. */
async function masksAll(
  context: Context,
  environment: string,
  secrets: EnvironmentRecord['secrets'],
): Promise<boolean> {
  try {
    await context.secrets.recall(environment, secrets);
    return true;
  } catch (error) {
    context.terminal.note(`their output is not kept, as not all secrets in it could be masked: ${messageOf(error)}`);
    return false;
  }
}

/**
 * Goes no further where public ports do not answer although nothing but that was wrong on their hosts, and their edges
 * were made again: the release would be taken back for it. Throws PartialError.
 */
export async function refuseHidden(
  context: Context,
  { app, environment, record }: RolloutInputs,
  { hidden }: Healing,
): Promise<void> {
  if (hidden.length === 0) return;
  const now = planHealing({ app, environment, record }, await context.drift.find(environment, record));
  const ports = now.treated.flatMap(({ host, drift }) =>
    hidden.includes(host.name) ? drift.filter(({ member }) => member === 'port').map((each) => ({ host, each })) : [],
  );
  if (ports.length === 0) return;
  throw new PartialError(`the edge proxies of ${hidden.join(', ')} were made again, and visitors still get no answer`, {
    details: ports.map(({ host, each }) => `${host.name}: ${each.actual}`),
    hint: `Look at the firewall rules of ${hidden.join(', ')}, and restart the Docker Engine there, which makes its own again.`,
  });
}

/** Makes the error for what is not as it is recorded, and cannot be healed from here. */
export function leftError(environment: string, left: readonly Untreated[], wasHealed: boolean): PartialError {
  const what = wasHealed ? `${environment} was healed, but not all of it` : `nothing in ${environment} was healed`;
  const parts = `${left.length} ${left.length === 1 ? 'thing is' : 'things are'} for a person to decide`;
  return new PartialError(`${what}: ${parts}`, {
    details: left.map(({ host, drift, remedy }) =>
      [`${host.name}: ${drift.what}: ${drift.member} is ${drift.actual}`, remedy]
        .filter((text) => text !== '')
        .join('. '),
    ),
    hint: `Run \`lockage drift ${environment}\` when that is done.`,
  });
}
