import { describe, expect, test } from 'vitest';
import { common, load, own, problemsOf } from './files.ts';

const inCommon = (text: string) => problemsOf(`${common}${text}\n`);
const integrationsOf = (text: string) => load(`${common}${text}\n`, { dev: own }).integrations;

describe('who hears of operations', () => {
  test('is nobody but hooks, unless it is configured', () => {
    expect(integrationsOf('')).toEqual({ hooks: { timeout: 300_000 }, notifications: [] });
  });

  test('has its defaults', () => {
    expect(integrationsOf('notifications: [{ url: { env: SLACK }, format: slack }]')?.notifications).toEqual([
      { url: { env: 'SLACK' }, format: 'slack', on: ['released', 'promoted', 'rolled-back', 'changed', 'failed'] },
    ]);
    expect(integrationsOf('github: { repository: acme/shop }')?.github).toEqual({
      ...{ owner: 'acme', name: 'shop', baseUrl: 'https://api.github.com' },
      ...{ urls: {}, releases: false, approvers: {} },
    });
  });

  test.each([
    ['hooks: { timeout: 0s }', 'hooks.timeout  expected a duration from 1s to 24h, got "0s"'],
    ['notifications: [{ url: ftp://x }]', 'notifications[0].url  expected a URL, got "ftp://x"'],
    ['notifications: [{ url: http://x, on: [promotd] }]', 'did you mean promoted?'],
    ['notifications: [{ url: http://x, environments: [dve] }]', 'no environment "dve", did you mean dev?'],
    ['github: { repository: shop }', 'expected a repository on GitHub, as owner/name, got "shop"'],
    ['github: { repository: a/b, baseUrl: http://github.example.com/api/v3 }', 'needs https://: a token goes there'],
    ['github: { repository: a/b, token: ghp_123 }', 'github.token'],
    ['github: { repository: a/b, urls: { qa: https://x } }', 'github.urls.qa  no environment "qa"'],
    ['github: { repository: a/b, approvers: { dev: [{ login: anna }] } }', 'expected the number of the account'],
  ])('%s is a problem', (text, message) => {
    const problems = inCommon(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
  });
});
