import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sshArguments } from '../../../../infra/docker/ssh/arguments.ts';
import { plainFiles } from '../../../../infra/docker/ssh/plain-path.ts';
import { versionIn, type SshVersion } from '../../../../infra/docker/ssh/version.ts';
import { runToEnd } from '../../../../infra/system/process.ts';
import { sshHostOf } from '../../../../pipelines/model/target-record.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-ssh-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function hostOf(...lines: readonly string[]) {
  const sshConfig = join(folder, 'config');
  await writeFile(sshConfig, `${lines.join('\n')}\n`);
  return sshHostOf({ name: 'prod-1', url: 'ssh://web', address: '127.0.0.1', sshConfig });
}

describe('an ssh_config', () => {
  test.each([
    [
      'with options of other systems that it says to ignore',
      'Host *',
      '  IgnoreUnknown UseKeychain',
      '  UseKeychain yes',
    ],
    ['without any', 'Host *'],
  ])('%s is read', async (_what, ...lines) => {
    const host = await hostOf(...lines, 'Host web', '  HostName 192.0.2.1', '  KnownHostsCommand /bin/true');
    const { code, stdout, stderr } = await runToEnd(
      'ssh',
      ['-G', ...sshArguments(await plainFiles(host, join(folder, 'known_hosts')))],
      10_000,
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^hostname 192\.0\.2\.1$/m);
    expect(stdout).toMatch(/^hostkeyalias web$/m);
    expect(stdout).not.toContain('/bin/true');
  });

  test.each<readonly [string, readonly string[]]>([
    ['OpenSSH_8.4p1 Debian-5+deb11u3, OpenSSL 1.1.1w  11 Sep 2023', []],
    ['OpenSSH_8.6p1, LibreSSL 3.3.6', ['KnownHostsCommand=none']],
    ['OpenSSH_8.7p1, OpenSSL 3.0.7', ['KnownHostsCommand=none', 'SessionType=default']],
    ['OpenSSH_10.0p2, OpenSSL 3.5.0', ['KnownHostsCommand=none', 'SessionType=default']],
    ['OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2', ['KnownHostsCommand=none', 'SessionType=default']],
    ['something else', ['KnownHostsCommand=none', 'SessionType=default']],
  ])('does not decide what %s knows', async (said, expected) => {
    const version: SshVersion | undefined = versionIn(said);
    const given = sshArguments({ host: await hostOf(), knownHosts: '/k', version });
    expect(given.filter((each) => /^(KnownHostsCommand|SessionType|IgnoreUnknown)=/.test(each))).toEqual(expected);
  });
});
