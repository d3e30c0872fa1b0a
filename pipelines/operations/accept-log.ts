import { LockageError } from '../errors.ts';
import { acceptedUpTo, longestReason, noEntry, type AuditEntry, type MissingHead } from '../model/audit-entry.ts';
import type { Context } from './ports.ts';

/** Why a person goes on with a log that lacks something. */
export interface AcceptRequest {
  readonly reason: string;
  /** ends of the log that others know, with who does */
  readonly anchors: readonly MissingHead[];
}

/** The outcome: what was missing is known to be missing from now on. */
export interface AcceptResult {
  readonly outcome: 'accepted' | 'nothing is missing';
  readonly missing: readonly MissingHead[];
}

/**
 * Writes into the audit log what is missing in it, and that a person knows. What was changed or cut stays so, and `audit verify`
 * says it for good; commands go on. Throws LockageError.
 */
export async function acceptLog(
  { audit, actor, now, secrets }: Pick<Context, 'audit' | 'actor' | 'now' | 'secrets'>,
  { reason, anchors }: AcceptRequest,
): Promise<AcceptResult> {
  if (reason.trim() === '') throw new LockageError('--reason wants a text', { hint: 'Say what happened to the log.' });
  const accepted = acceptedUpTo(await audit.last());
  const each = await Promise.all(anchors.map(async (anchor) => ((await audit.has(anchor)) ? [] : [anchor])));
  const missing = each.flat().filter(({ number }) => number > accepted);
  if (missing.length === 0) return { outcome: 'nothing is missing', missing };
  const process = await audit.process();
  await audit.append((last): AuditEntry => {
    const number = Math.max(last?.entry.number ?? 0, ...missing.map((head) => head.number)) + 1;
    const { open } = last?.entry ?? {};
    return {
      number,
      at: new Date(now()).toISOString(),
      kind: 'accepted',
      previous: last?.hash ?? noEntry,
      operation: 'accept',
      actor,
      process,
      reason: secrets.mask(reason).slice(0, longestReason),
      missing,
      accepted: number,
      ...(open ? { open } : {}),
    };
  });
  return { outcome: 'accepted', missing };
}
