import { messageOf } from '../../errors.ts';
import { openBundle, type SignedStatement } from '../../model/evidence/bundle.ts';
import { timeOf } from '../../model/evidence/statement.ts';
import type { Digest } from '../../model/release.ts';
import { keyProblem, type TrustedKey } from '../../model/trusted-key.ts';
import { whenText } from '../../text/moment.ts';
import { clockTolerance } from '../soak.ts';

/** A statement about the image in question, signed by a key that is trusted for something. */
export type Signed = SignedStatement<TrustedKey> & {
  /** ms since 1970: when it was made, as its signer says */
  readonly at: number;
};

/** All bundles about an image, read. */
export interface Bundles {
  readonly signed: readonly Signed[];
  /** why others do not count: each reason once */
  readonly refused: readonly string[];
}

/** Reads bundles that were found for an image. One that is of another image is refused as such. */
export function readBundles(texts: readonly string[], digest: Digest, keys: readonly TrustedKey[]): Bundles {
  const signed: Signed[] = [];
  const refused = new Set<string>();
  for (const text of new Set(texts)) {
    try {
      const statement = openBundle(text, keys);
      if (statement.subject === digest) signed.push({ ...statement, at: timeOf(statement) });
      else refused.add('one is about another image');
    } catch (error) {
      refused.add(messageOf(error));
    }
  }
  return { signed, refused: [...refused] };
}

/** Returns why a statement does not count; undefined when it does, as far as its key and its time go. */
export function statementProblem(
  { key, kind, at }: Signed,
  { environment, now }: { readonly environment?: string; readonly now: number },
): string | undefined {
  if (Number.isNaN(at)) return `what ${key.name} signed does not say when`;
  if (at > now + clockTolerance) {
    return `what ${key.name} signed is of ${whenText(new Date(at).toISOString())}, which is later than now: a clock is wrong`;
  }
  return keyProblem(key, { kind, at, ...(environment === undefined ? {} : { environment }) });
}
