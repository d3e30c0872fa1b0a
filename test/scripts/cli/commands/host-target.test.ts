import { describe, expect, test } from 'vitest';
import { targetOf, type TargetFlags } from '../../../../scripts/cli/commands/host-target.ts';
import { environment, hostWith, refusal } from '../../../pipelines/model/values.ts';

const place = { root: '/srv/shop', cwd: '/srv/shop/environments' };
const hosts = [
  hostWith('web-1', { url: 'ssh://deploy@web-1.example.com', address: 'web-1.example.com' }),
  hostWith('prod-2', { url: 'ssh://root@10.0.0.2', address: '10.0.0.2', jump: 'gate' }),
];
const target = (url: string, flags: TargetFlags = {}) => targetOf(environment({ hosts }), url, flags, place);
const problems = (url: string, flags: TargetFlags = {}) =>
  refusal(() => target(url, flags))
    .split(' | ')
    .slice(1);

describe('a new target', () => {
  test.each([
    ['ssh://root@web-7.example.com', 'web-7'],
    ['ssh://root@web-1.example.org', 'prod-1'],
    ['ssh://root@10.0.0.3', 'prod-1'],
    ['ssh://root@prod-2.example.com', 'prod-1'],
  ])('%s is called %s', (url, name) => {
    expect(target(url).written).toEqual({ name, url });
  });

  test.each([
    ['../keys/id', 'keys/id', '/srv/shop/keys/id'],
    ['/root/id', '/root/id', '/root/id'],
    ['~/.ssh/id', '~/.ssh/id', '~/.ssh/id'],
  ])('its key %s is written as %s', (identity, written, used) => {
    const found = target('ssh://root@10.0.0.3', { identity, address: '192.0.2.3', jump: 'gate:2222' });
    expect(found.written).toEqual({
      name: 'prod-1',
      url: 'ssh://root@10.0.0.3',
      address: '192.0.2.3',
      identity: written,
      jump: 'gate:2222',
    });
    expect(found.host.endpoint.identity).toBe(used);
  });

  test('with everything that is wrong at once', () => {
    expect(problems('unix:///run/docker.sock', { name: 'A', address: '-x', jump: '-x', hostKey: ['md5'] })).toEqual([
      'unix:///run/docker.sock: only a machine that is reached by ssh can be prepared',
      '--name A: expected lower-case letters, digits and inner hyphens, at most 40 characters',
      '--address -x: expected a host name or address without port',
      '--jump -x: expected user@host:port',
      '--host-key md5: expected a fingerprint as ssh-keygen -l prints it, SHA256:…',
    ]);
    expect(problems('ssh://root@h/run/docker.sock')[0]).toContain('leave the path of the socket out');
    expect(problems('h.example.com')[0]).toContain('write ssh://user@host');
    expect(problems('ssh://root@h', { name: 'web-1' })).toEqual([
      'web-1 is a host of prod already: ssh://deploy@web-1.example.com',
    ]);
  });
});

describe('a target that is there', () => {
  test('is taken as it is written', () => {
    expect(target('ssh://root@10.0.0.2:22')).toEqual({ host: hosts[1] });
    expect(target('ssh://root@10.0.0.2', { name: 'prod-2', jump: 'gate' })).toEqual({ host: hosts[1] });
  });

  test('is not something else than it is written as', () => {
    expect(problems('ssh://root@web-1.example.com', { name: 'web-9', jump: 'gate' })).toEqual([
      'web-1 is written as ssh://deploy@web-1.example.com',
      '--name web-9: web-1 has web-1',
      '--jump gate: web-1 has none',
    ]);
  });
});
