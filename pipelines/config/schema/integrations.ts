/** `hooks`, `notifications` and `github` in lockage.yaml: who else hears of operations. */
import * as z from 'zod';
import { notifiedEvents } from '../../model/integrations.ts';
import { didYouMean } from '../../text/suggest.ts';
import { secretSource } from './secret-source.ts';
import { describe, duration, expected, integer, list, mapping, name } from './values.ts';

const webUrl = (what: string) => {
  const error = expected(what);
  return z
    .string({ error })
    .regex(/^https?:\/\/[^\s/@]+(?:\/[^\s]*)?$/, { error, abort: true })
    .refine((value) => URL.canParse(value), { error });
};

export const hooks = mapping({
  timeout: duration('5m', '1s', '24h').optional().meta({ description: 'How long each may take. Default 5m.' }),
}).meta({ description: 'The programs in the folder hooks: pre-connect, pre-build, pre-deploy, post-deploy.' });

const event = z.enum(notifiedEvents, {
  error: (issue) => `expected one of ${notifiedEvents.join(', ')}${didYouMean(String(issue.input), notifiedEvents)}`,
});

const notification = mapping({
  url: z.union([webUrl('a URL'), secretSource], { error: 'expected a URL, or where it is read: { env: NAME }' }).meta({
    description: 'Where it is sent. That of a chat is a secret: { env: NAME }, { file: path } or { command: … }.',
  }),
  format: z
    .enum(['json', 'slack'], { error: expected('json or slack') })
    .optional()
    .meta({ description: 'slack: what Slack and chats that are like it show. Default json.' }),
  secret: secretSource.optional().meta({ description: 'Signs what is sent, with HMAC-SHA256 (Standard Webhooks).' }),
  on: list(event, 'events').min(1, { error: 'expected at least one event' }).optional().meta({
    description: 'Default: all but refused.',
  }),
  environments: list(name, 'environments').optional().meta({ description: 'Default: all.' }),
});

export const notifications = list(notification, 'notifications').meta({
  description: 'Who is told how operations ended. Nobody waits for them.',
});

const repositoryMessage = expected('a repository on GitHub, as owner/name');
const repository = z
  .string({ error: repositoryMessage })
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})\/[A-Za-z0-9._-]{1,100}$/, { error: repositoryMessage });

const approver = mapping({
  login: z.string({ error: expected('a name on GitHub') }).regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$/, {
    error: (issue) => `expected a name on GitHub, got ${describe(issue.input)}`,
  }),
  id: integer('the number of the account', 1, Number.MAX_SAFE_INTEGER).meta({
    description: '`gh api users/LOGIN --jq .id` prints it: names change hands, numbers do not.',
  }),
});

export const github = mapping({
  repository,
  baseUrl: webUrl('the URL of the API, as https://github.example.com/api/v3')
    .refine((url) => /^https:|^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])[:/]/.test(url), {
      error: 'needs https://: a token goes there',
    })
    .optional()
    .meta({ description: 'Of the API of an Enterprise Server. Default https://api.github.com.' }),
  token: secretSource.optional().meta({ description: 'Default { env: GITHUB_TOKEN }.' }),
  urls: z
    .record(name, webUrl('a URL'), { error: expected('a mapping of environments to URLs') })
    .optional()
    .meta({ description: 'Where people visit an environment; shown with its deployments.' }),
  releases: z
    .boolean({ error: expected('true or false') })
    .optional()
    .meta({ description: 'Each release gets a page with its notes. Default false.' }),
  approvers: z
    .record(name, list(approver, 'people').min(1, { error: 'expected at least one person' }), {
      error: expected('a mapping of environments to people'),
    })
    .optional()
    .meta({ description: 'Whose comment on a pull request, or review of a run, approves a release.' }),
}).meta({ description: 'The repository on GitHub that is told of deployments.' });
