import * as z from 'zod';
import { didYouMean } from '../../text/suggest.ts';
import { command, expected, text, variable } from './values.ts';

const secretSourceMessage = 'has no source: write { env: NAME }, { file: path } or { command: [program, argument] }';

/** The place of the operator's that a secret's value is read from. */
export const secretSource = z
  .strictObject(
    {
      env: variable.optional().meta({ description: "A variable of the operator's environment." }),
      file: text('a path').optional().meta({ description: 'A file, relative to lockage.yaml.' }),
      command: command.optional().meta({ description: 'A program that prints it; run without a shell.' }),
      raw: z
        .boolean({ error: expected('true or false') })
        .optional()
        .meta({ description: 'true: its bytes as they are, with a last newline, binary or empty. Default false.' }),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? issue.keys.map((key) => `unknown key${didYouMean(key, ['env', 'file', 'command', 'raw'])}`).join('\n')
          : secretSourceMessage,
    },
  )
  .refine((source) => sourcesIn(source) > 0, { error: secretSourceMessage })
  .refine((source) => sourcesIn(source) < 2, {
    error: 'has more than one source: keep one of env, file and command',
  });

function sourcesIn(source: object): number {
  return Object.keys(source).filter((key) => key !== 'raw').length;
}
