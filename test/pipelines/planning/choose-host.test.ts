import { expect, test } from 'vitest';
import { chooseHost } from '../../../pipelines/planning/choose-host.ts';
import { pending } from '../../../pipelines/model/target.ts';
import { hostWith, refusal } from '../model/values.ts';

const settings = { identity: '/keys/deploy', jump: 'me@gate', hostKey: 'SHA256:abc' };
const prod1 = hostWith('prod-1', { url: 'ssh://deploy@10.0.0.1', ...settings });
const shared = [hostWith('box', { url: 'ssh://a@box' }), hostWith('box', { url: 'ssh://b@box' })];
const twice = [hostWith('app', { url: 'ssh://a@one' }), hostWith('app', { url: 'ssh://a@two' })];
const choices = { hosts: [prod1, ...shared, ...twice, pending('load-1')], environment: 'pr-128' };

test('a configured host is found by its name or its URL, with its keys', () => {
  expect(chooseHost('prod-1', choices)).toBe(prod1);
  expect(chooseHost('ssh://deploy@10.0.0.1', choices)).toBe(prod1);
  expect(chooseHost('box', choices)).toBe(shared[0]);
});

test('any other is named by its URL', () => {
  expect(chooseHost('ssh://deploy@test-3.example.com', choices)).toMatchObject({
    ...{ name: 'test-3', address: 'test-3.example.com' },
    endpoint: { kind: 'ssh', user: 'deploy', socket: '/var/run/docker.sock' },
  });
  expect(chooseHost('ssh://deploy@10.0.0.9:2222', choices)).toMatchObject({ name: 'pr-128-1', address: '10.0.0.9' });
  expect(chooseHost('unix:///run/other.sock', choices)).toMatchObject({ address: '127.0.0.1' });
  const tls = { ca: '/c/ca.pem', cert: '/c/cert.pem', key: '/c/key.pem' };
  expect(chooseHost('tcp://box:2376', { ...choices, tls }).endpoint).toMatchObject({ kind: 'tcp', tls });
  expect(chooseHost('ssh://a@other', { ...choices, tls }).endpoint).not.toHaveProperty('tls');
});

test.each([
  ['prod-2', /^no host is called prod-2, did you mean prod-1\? \| configured are prod-1, box, app, load-1 \|/],
  ['app', /^several hosts are called app \| ssh:\/\/a@one \| ssh:\/\/a@two \| Write its URL instead\.$/],
  ['load-1', /^load-1 is a machine that is not made yet \|/],
  ['tcp://box:2376', /^tcp:\/\/box:2376 cannot be used: tcp:\/\/ without TLS leaves the host to everybody/],
  ['http://box', /^http:\/\/box cannot be used: http:\/\/ is not supported/],
  ['ssh://-oProxyCommand=x', /cannot be used/],
])('%s is refused', (text, message) => {
  expect(refusal(() => chooseHost(text, choices))).toMatch(message);
});
