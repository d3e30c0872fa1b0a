import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

const texts = Object.entries(scripts).flatMap(([name, text]) => (typeof text === 'string' ? [[name, text]] : []));

test.each(texts)('%s is a script that a POSIX shell reads', (_name, script = '') => {
  expect(execFileSync('sh', ['-n'], { input: script, encoding: 'utf8' })).toBe('');
});

test('the probe says something on any machine, and changes nothing', () => {
  const state = probeHost(execFileSync('sh', ['-s'], { input: scripts.probeScript, encoding: 'utf8' }));
  expect(state.user).toBe(execFileSync('id', ['-un'], { encoding: 'utf8' }).trim());
  expect(state.architecture).toBe(execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim());
});

test('settings of any size come on stdin alone, and the file keeps its mode', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockage-daemon-'));
  const file = join(folder, 'daemon.json');
  const before = JSON.stringify({ proxies: { 'http-proxy': "http://me:it's $(a) canary@proxy" } });
  const wanted = JSON.stringify({ ...(JSON.parse(before) as object), labels: ['x'.repeat(300_000)] });
  const configure = (values: Record<string, string>) => {
    const script = scripts.withVariables(scripts.configureScript.replaceAll('/etc/docker', folder), values);
    return spawnSync('sh', ['-s', '--'], { input: script, encoding: 'utf8' });
  };
  try {
    writeFileSync(file, `${before}\n`);
    chmodSync(file, 0o600);
    expect(configure({ wanted, before: '{}' })).toMatchObject({ status: 9 });
    expect(readFileSync(file, 'utf8')).toBe(`${before}\n`);
    expect(configure({ wanted, before })).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(file, 'utf8')).toBe(`${wanted}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(`${file}.before`, 'utf8')).toBe(`${before}\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
