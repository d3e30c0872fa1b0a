import { onGitHub } from '../../model/evidence/policy.ts';
import { own } from '../../model/own.ts';
import { keyProblem, type TrustedKey } from '../../model/trusted-key.ts';
import { didYouMean } from '../../text/suggest.ts';
import { trustedKeys } from '../schema/keys.ts';
import type { Checked } from './context.ts';

/** Checks that what an environment asks for of signatures can be: there are keys for it, and people enough. */
export function checkEvidence({ file, resolved, report }: Checked): void {
  const { name, evidence = [], approvals, after } = resolved;
  const keys = trustedKeys(file.keys ?? {});
  const places = (file.pipeline ?? []).map((entry) => (typeof entry === 'string' ? entry : entry.name));
  evidence.forEach((wanted, index) => {
    const [kind, place] = wanted.split('/');
    if (place !== undefined && (place === name || !places.includes(place))) {
      const what = place === name ? `is of ${name} itself` : `${place} is no environment${didYouMean(place, places)}`;
      return report(['evidence', index], what);
    }
    if (place !== undefined && after.length === 0) {
      return report(['evidence', index], `comes to ${name} never: it is the first`);
    }
    const use = { kind: kind as TrustedKey['signs'][number], environment: place ?? name };
    if (!keys.some((key) => mayEver(key, use))) report(['evidence', index], 'can be signed by none of `keys`');
  });
  if (!approvals) return;
  const may = keys.filter((key) => mayEver(key, { kind: 'approval', environment: name })).map((key) => key.name);
  const outside = (own(file.github?.approvers, name) ?? []).map(({ login }) => `${onGitHub}${login}`);
  for (const [index, who] of (approvals.from ?? []).entries()) {
    if (who.startsWith(onGitHub)) {
      if (!outside.includes(who))
        report(['approvals', 'from', index], `${who} is none of \`github.approvers\` of ${name}`);
    } else if (!may.includes(who))
      report(['approvals', 'from', index], `${who} is none of \`keys\` that may approve for ${name}`);
  }
  const asked = outside.filter((who) => approvals.from?.includes(who));
  const people = may.filter((who) => approvals.from?.includes(who) ?? true).length + asked.length;
  if (people < approvals.count) report(['approvals', 'count'], `is ${approvals.count}, and ${people} may approve`);
}

/** Returns whether a key may sign something at any time. */
function mayEver(
  { from: _, until: __, ...key }: TrustedKey,
  use: { kind: TrustedKey['signs'][number]; environment: string },
) {
  return keyProblem(key, { ...use, at: 0 }) === undefined;
}
