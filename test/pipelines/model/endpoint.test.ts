import { describe, expect, it, test } from 'vitest';
import { endpointOf, engineKey, parseUrl, settingsOf } from '../../../pipelines/model/endpoint.ts';

const endpoint = (url: string, jump?: string) => endpointOf('prod-1', { url, ...(jump === undefined ? {} : { jump }) });

describe('an endpoint', () => {
  it('is read with its defaults', () => {
    expect(endpoint('unix:///run/d.sock')).toMatchObject({ kind: 'unix', socket: '/run/d.sock' });
    const url = 'ssh://prod.example.com';
    const usual = { host: 'prod.example.com', port: 22, socket: '/var/run/docker.sock' };
    expect(endpoint(url)).toEqual({ kind: 'ssh', url, ...usual });
    expect(endpoint('tcp://[2001:db8::1]:2376')).toMatchObject({ kind: 'tcp', host: '2001:db8::1', port: 2376 });
  });

  it('is read with all its parts', () => {
    expect(endpoint('ssh://deploy@[2001:db8::1]:2222/run/d.sock', 'me@gate')).toMatchObject({
      user: 'deploy',
      host: '2001:db8::1',
      port: 2222,
      socket: '/run/d.sock',
      jump: { user: 'me', host: 'gate', port: 22 },
    });
    expect(endpoint('ssh://1st@host', '2nd@gate')).toMatchObject({ user: '1st', jump: { user: '2nd' } });
  });

  it('gives back what it was made from', () => {
    const ssh = { url: 'ssh://a@b:22', jump: 'c@d:22', identity: '~/id', hostKey: 'SHA256:x' };
    expect(settingsOf(endpointOf('prod-1', ssh))).toEqual(ssh);
    const tcp = { url: 'tcp://b:2376', tls: { ca: 'a', cert: 'b', key: 'c' } };
    expect(settingsOf(endpointOf('prod-1', tcp))).toEqual(tcp);
  });

  it.each([
    'ssh://-oProxyCommand=touch',
    'ssh://-l@host',
    'ssh://a b@host',
    'ssh://host:0',
    'ssh://host:',
    'ssh://host:70000',
    'ssh://host/run/$(id)',
    'ssh://host/run/../x;id',
    "ssh://ho'st",
    'ssh://',
    'SSH://host',
    'unix://run/d.sock',
    'tcp://host',
    'tcp://a b:1',
    'tcp://me@host:1',
    'tcp://host:1/x',
    'tcp://[::1::]:1',
  ])('is refused where a part of it could be something else: %s', (url) => {
    expect(parseUrl(url).kind).toBe('invalid');
    expect(() => endpoint(url)).toThrow('prod-1: ');
  });

  it.each(['-oProxyCommand=x', 'a@b@c', 'gate;id', '', 'gate:70000'])('is not reached through "%s"', (jump) => {
    expect(() => endpoint('ssh://host', jump)).toThrow('no host to jump through');
  });
});

test.each<[string, string, boolean]>([
  ['unix:///var/run/docker.sock', 'unix:///run/docker.sock', true],
  ['ssh://a@HOST', 'ssh://b@host:22/run/docker.sock', true],
  ['ssh://host', 'ssh://host:2222', false],
  ['ssh://host/run/other.sock', 'ssh://host', false],
  ['tcp://HOST:2376', 'tcp://host:2376', true],
  ['tcp://host:22', 'ssh://host', false],
])('%s and %s: the same engine is %s', (one, other, same) => {
  expect(engineKey(endpoint(one)) === engineKey(endpoint(other))).toBe(same);
});
