import { LockageError } from '../errors.ts';
import type { PlacedContainer } from '../model/desired-state.ts';
import type { Environment } from '../model/environment.ts';
import { currentRevision, existingContainers, type EnvironmentRecord } from '../model/ledger.ts';
import { didYouMean } from '../text/suggest.ts';

export interface Selection {
  readonly role?: string;
  readonly host?: string;
}

/**
 * Returns the serving containers of a role or host, or all of them. Throws LockageError with the ones there are when
 * none match.
 */
export function selectServing(
  environment: Environment,
  record: EnvironmentRecord,
  selection: Selection,
): PlacedContainer[] {
  const current = currentRevision(record.ledger);
  if (!current) {
    throw new LockageError(`nothing runs in ${environment.name}`, {
      hint: `Bring a release there: \`lockage promote VERSION --to ${environment.name}\`.`,
    });
  }
  const serving = existingContainers(record, current);
  check(
    'role',
    selection.role,
    serving.map(({ spec }) => spec.role),
    environment,
  );
  check(
    'host',
    selection.host,
    serving.map(({ host }) => host.name),
    environment,
  );
  const found = serving.filter(
    ({ host, spec }) => (selection.role ?? spec.role) === spec.role && (selection.host ?? host.name) === host.name,
  );
  if (found.length > 0) return found;
  throw new LockageError(`no container of role ${selection.role} serves on ${selection.host}`);
}

function check(
  what: 'role' | 'host',
  wanted: string | undefined,
  names: readonly string[],
  environment: Environment,
): void {
  if (wanted === undefined || names.includes(wanted)) return;
  const known = [...new Set(names)];
  throw new LockageError(
    `no ${what} ${JSON.stringify(wanted)} serves in ${environment.name}${didYouMean(wanted, known)}`,
    {
      hint: `There is: ${known.join(', ')}.`,
    },
  );
}
