import * as z from 'zod';
import { parseDuration } from './units.ts';
import { command, duration, env, expected, integer, list, mapping, name, secretNames } from './values.ts';

const imageMessage = expected('an image such as registry.example.com/k6:1.2');

const job = mapping({
  name: name.meta({ description: 'How it is called in gates and in the history.' }),
  command: command.meta({ description: 'What is run; exit code 0 is a success.' }),
  image: z
    .string({ error: imageMessage })
    .regex(/^[a-z0-9][\w./:@-]{0,254}$/, { error: imageMessage })
    .optional()
    .meta({ description: "What it runs in. Default: the release's own image." }),
  env: env.optional(),
  secrets: secretNames.optional(),
  timeout: duration('2m', '1s', '1h').optional().meta({ description: 'For one try. Default 2m.' }),
  retries: integer('a number of tries', 0, 5).optional().meta({ description: 'After one that failed. Default 0.' }),
});

/** What a release has to pass where it has just come. */
export const verification = list(job, 'jobs').max(10, { error: 'expected 10 jobs at most' }).meta({
  description: 'Jobs that are run against the environment once a release serves there; one that fails takes it back.',
});

export type JobFile = z.output<typeof job>;

/** Milliseconds of a try where nothing is configured. */
export const defaultTimeout = parseDuration('2m') ?? 0;
