/*
 * Public keys that the project trusts, by name. Anything that is not said is not allowed: a key signs only the kinds of
 * statements that it lists.
 */
import * as z from 'zod';
import { parsePublicKey } from '../../model/public-key.ts';
import { statementKinds, type TrustedKey } from '../../model/trusted-key.ts';
import { didYouMean } from '../../text/suggest.ts';
import { command, describe, expected, list, mapping, name as nameText, text } from './values.ts';

const publicKey = z
  .string({ error: expected('a public key') })
  .refine((written) => parsePublicKey(written) !== undefined, {
    error: 'expected a public key, Ed25519 or P-256: PEM (BEGIN PUBLIC KEY), or a line such as ssh-ed25519 AAAA…',
  });

const datePattern = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?Z)?$/;
const moment = z
  .string({ error: expected('a date such as 2026-12-20, or 2026-12-20T18:00Z') })
  .refine((written) => datePattern.test(written) && isDay(written), {
    error: expected('a date such as 2026-12-20, or 2026-12-20T18:00Z'),
  });

const kind = z.enum(statementKinds, {
  error: ({ input }) =>
    `expected one of ${statementKinds.join(', ')}, got ${describe(input)}${didYouMean(String(input), statementKinds)}`,
});

const key = mapping({
  public: publicKey.meta({ description: 'The public key: PEM, or a line as OpenSSH writes it.' }),
  signs: list(kind, 'kinds of statements')
    .min(1, { error: 'expected at least one kind of statements' })
    .meta({ description: 'What it may sign.' }),
  environments: list(nameText, 'environments').optional().meta({
    description: 'For which environments it may sign. Default: all.',
  }),
  from: moment.optional().meta({ description: 'What it signed before does not count.' }),
  until: moment.optional().meta({ description: 'What it signed from then on does not count.' }),
  revoked: text('why it is revoked').optional().meta({ description: 'Nothing that it has ever signed counts.' }),
  private: z
    .union(
      [
        z.literal('agent'),
        mapping({ file: text('a file') }),
        mapping({
          command: command.meta({ description: 'Gets what to sign on stdin, and writes the signature on stdout.' }),
        }),
      ],
      { error: expected('agent, {file: …} or {command: […]}') },
    )
    .optional()
    .meta({ description: 'Where its owner has the private key. Default: NAME.pem in the folder of keys.' }),
});

/** `keys` of lockage.yaml. */
export const keys = z
  .record(nameText, key, { error: expected('a mapping of keys by name') })
  .meta({ description: 'Public keys whose signatures count, by the names of their owners.' });

/** Returns the keys as they are used. They were checked before. */
export function trustedKeys(written: z.output<typeof keys>): readonly TrustedKey[] {
  return Object.entries(written).map(([name, { private: source, from, until, ...rest }]) => {
    const parsed = parsePublicKey(rest.public);
    if (!parsed) throw new TypeError('a public key was not checked');
    return {
      name,
      ...parsed,
      signs: rest.signs,
      ...(rest.environments ? { environments: rest.environments } : {}),
      ...(from === undefined ? {} : { from: Date.parse(from) }),
      ...(until === undefined ? {} : { until: Date.parse(until) }),
      ...(rest.revoked === undefined ? {} : { revoked: rest.revoked }),
      ...(source === undefined ? {} : { private: source === 'agent' ? { agent: true } : source }),
    };
  });
}

/** Returns whether a day is one of the calendar: Date turns the 30th of February into the 2nd of March. */
function isDay(written: string): boolean {
  const time = Date.parse(written);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(written.slice(0, 10));
}
