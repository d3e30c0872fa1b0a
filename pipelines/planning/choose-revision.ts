import { LockageError } from '../errors.ts';
import { completed, currentRevision } from '../model/ledger.ts';
import type { Ledger, Revision } from '../model/revision.ts';
import { isVersion } from '../model/version.ts';

/** A revision as a person names it: `prod` is what runs by the record, `prod@12` and `prod@1.4.0` are what ran. */
export interface RevisionName {
  readonly environment: string;
  /** number of the revision, or version of its release */
  readonly at?: number | string;
}

/** Reads the name of a revision. Throws LockageError (refused) that says what is allowed. */
export function parseRevisionName(text: string): RevisionName {
  const [environment = '', ...rest] = text.split('@');
  if (rest.length === 0) return { environment };
  const at = rest.join('@');
  if (isVersion(at)) return { environment, at };
  if (/^[1-9]\d{0,8}$/.test(at)) return { environment, at: Number(at) };
  throw new LockageError(`${JSON.stringify(text)} names no revision`, {
    hint: 'Write prod for what runs there, prod@12 for its revision 12, or prod@1.4.0 for the last one with that version.',
  });
}

/**
 * Returns the good revision that a name stands for, with what ran on hosts that were cordoned then. Throws LockageError
 * (refused) where nothing ran.
 */
export function chooseRevision(ledger: Ledger, { environment, at }: RevisionName): Revision {
  const hint = `\`lockage history ${environment}\` lists what ran there.`;
  const found = at === undefined ? currentRevision(ledger) : ledger.revisions.findLast((each) => isNamed(each, at));
  if (!found) {
    const absent =
      at === undefined ? 'runs nothing yet' : typeof at === 'number' ? `has no revision ${at}` : `never ran ${at} well`;
    throw new LockageError(`${environment} ${absent}`, { hint });
  }
  if (found.result === 'succeeded') return completed(ledger, found);
  throw new LockageError(`revision ${found.number} of ${environment} never served: it is ${found.result}`, { hint });
}

/** A number is exactly one revision, also one that failed; a version is the last one that ran well with it. */
function isNamed({ number, release, result }: Revision, at: number | string): boolean {
  return typeof at === 'number' ? number === at : release.version === at && result === 'succeeded';
}
