import type { DesiredState } from '../model/desired-state.ts';
import type { Turn } from '../model/fence.ts';
import { currentRevision, existingContainers, type EnvironmentRecord } from '../model/ledger.ts';
import type { Ledger } from '../model/revision.ts';
import { secretsToRecord, standbyFor } from './standby.ts';

/**
 * Returns the recorded state as a desired state: same containers, no verification, no watch. `ledger` says what
 * serves; everything that is not kept as standby is removed.
 */
export function recordedState(
  place: { readonly app: string; readonly environment: string },
  record: EnvironmentRecord,
  ledger: Ledger,
  options: { readonly operation: string; readonly turn: Turn; readonly standby?: number },
): DesiredState {
  const current = currentRevision(ledger);
  const serving = current ? existingContainers(record, current) : [];
  const standby = standbyFor({ ...record, ledger }, options.standby ?? Number.POSITIVE_INFINITY, serving);
  return {
    ...place,
    operation: options.operation,
    basis: record.basis,
    ...(record.pending ? { attempts: record.pending } : {}),
    turn: options.turn,
    serving,
    standby,
    fallback: [],
    wake: [],
    verify: [],
    watch: 0,
    guarded: false,
    ...(record.migration ? { migration: record.migration } : {}),
    secrets: secretsToRecord([...serving, ...standby], { ...record, ledger }),
    ledger,
  };
}
