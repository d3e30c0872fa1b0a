/*
 * What an environment asks for of signatures: which evidence a release has, and who has approved it.
 */
import * as z from 'zod';
import type { ApprovalRule, Wanted } from '../../model/evidence/signature-policy.ts';
import { namePattern } from './names.ts';
import { parseDuration } from './units.ts';
import { describe, duration, integer, list, mapping, name } from './values.ts';

const kinds = ['provenance', 'release', 'sbom'];
const example = 'provenance, release, sbom or verification/ENVIRONMENT';

const wanted = z.string({ error: `expected ${example}` }).refine(isWanted, {
  error: ({ input }) => `expected ${example}, got ${describe(input)}`,
});

/** `evidence` in either kind of file. */
export const evidence = list(wanted, 'evidence').meta({
  description: 'Evidence that a release has to have, signed by keys that count for the environment.',
});

const person = z.enum(['builder', 'promoter'], {
  error: ({ input }) => `expected builder or promoter, got ${describe(input)}`,
});

const onGitHub = z.string().regex(/^github:[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$/);

/** `approvals` in either kind of file. */
export const approvals = mapping({
  count: integer('a number of people', 0, 20).meta({ description: 'How many people have to approve; 0: none.' }),
  from: list(z.union([onGitHub, name]), 'names of keys')
    .optional()
    .meta({ description: 'Who may: names of keys, and github:LOGIN. Default: all whose keys may sign approvals.' }),
  not: list(person, 'builder or promoter').optional().meta({
    description: 'Whose approval does not count: who signed what was built, who promotes.',
  }),
  within: duration('72h', '1m', '8760h')
    .optional()
    .meta({ description: 'For how long an approval counts. Default 168h.' }),
}).meta({ description: 'How many people have to approve a release, and who.' });

/** What an approval counts for, where nothing is said. */
const week = 7 * 24 * 3_600_000;

/** Returns the rule as it is used; nothing where nobody has to approve. It was checked before. */
export function approvalRule({ count, from, not = [], within }: z.output<typeof approvals>): {
  approvals?: ApprovalRule;
} {
  if (count === 0) return {};
  return {
    approvals: {
      count,
      ...(from ? { from: [...new Set(from)] } : {}),
      ...(not.length > 0 ? { not: [...new Set(not)] } : {}),
      within: (within === undefined ? undefined : parseDuration(within)) ?? week,
    },
  };
}

function isWanted(written: string): written is Wanted {
  const [kind = '', place = '', ...more] = written.split('/');
  return kinds.includes(written) || (kind === 'verification' && namePattern.test(place) && more.length === 0);
}
