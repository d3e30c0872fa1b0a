import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { probeHost } from '../../../infra/hosts/setup/host-setup.ts';
import * as scripts from '../../../infra/hosts/setup/scripts.ts';

test('a machine is what its probe says', () => {
  const settings = Buffer.from('{ "debug": true }\n').toString('base64');
  const lines = [
    'Last login: today',
    'distribution=ubuntu debian',
    'system=Ubuntu 24.04 LTS',
    'architecture=aarch64',
    'user=deploy',
    'groups=deploy sudo',
    'root=yes',
    'systemd=yes',
    'program=/usr/bin/dockerd',
    'version=26.1.3',
    'active=yes',
    `settings=${settings}`,
    'running=3',
  ];
  expect(probeHost(`${lines.join('\n')}\n`)).toEqual({
    distribution: ['ubuntu', 'debian'],
    system: 'Ubuntu 24.04 LTS',
    architecture: 'aarch64',
    user: 'deploy',
    groups: ['deploy', 'sudo'],
    root: true,
    systemd: true,
    engine: { version: '26.1.3', program: '/usr/bin/dockerd', active: true },
    settings: '{ "debug": true }\n',
    unread: false,
    swarm: false,
    running: 3,
  });
});

test('one that says little is plain', () => {
  expect(probeHost('user=root\nrunning=\n')).toEqual({
    distribution: [],
    system: '',
    architecture: '',
    user: 'root',
    groups: [],
    root: false,
    systemd: false,
    unread: false,
    swarm: false,
    running: 0,
  });
});

test.each(Object.entries(scripts))('%s is a script that a POSIX shell reads', (_name, script) => {
  expect(execFileSync('sh', ['-n'], { input: script, encoding: 'utf8' })).toBe('');
});

test('the probe says something on any machine, and changes nothing', () => {
  const state = probeHost(execFileSync('sh', ['-s'], { input: scripts.probeScript, encoding: 'utf8' }));
  expect(state.user).toBe(execFileSync('id', ['-un'], { encoding: 'utf8' }).trim());
  expect(state.architecture).toBe(execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim());
});
