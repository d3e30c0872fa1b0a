import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Connections } from '../../infra/docker/connections.ts';
import { sshHostOf, type TargetRecord } from '../../pipelines/model/target-record.ts';
import type { SshHost } from '../../pipelines/model/target.ts';
import { command, engineSocket } from '../support/engine-fixture.ts';
import { SshLab, type SshServer } from '../support/sshd-fixture.ts';

let lab: SshLab;
let server: SshServer;
let bastion: SshServer;
let runs = 0;
const opened: Connections[] = [];
const user = () => server.login.split('@')[0] ?? '';

function connections(stateDir = join(lab.folder, `state${runs++}`)): Connections {
  const made = new Connections({ stateDir });
  opened.push(made);
  return made;
}

/** Writes an ssh_config into a file of its own. */
async function written(...lines: readonly string[]): Promise<string> {
  const file = join(lab.folder, `config${runs++}`);
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

function hostOf(url: string, extra: Partial<TargetRecord>): SshHost {
  return sshHostOf({ name: 'prod-1', url: `${url}${engineSocket}`, address: '127.0.0.1', ...extra });
}

/** What an ssh_config says of the sshd of the test, by an alias that no name server knows. */
const web = () => ['Host web', '  HostName 127.0.0.1', `  Port ${server.port}`, `  User ${user()}`];
const key = () => `  IdentityFile ${lab.identity}`;

/** The machine between, known in a file of the user's own. */
async function between(known = true): Promise<string[]> {
  const file = join(lab.folder, `known${runs++}`);
  const scanned = await command('ssh-keyscan', '-p', String(bastion.port), '127.0.0.1');
  await writeFile(file, known ? scanned : '');
  const own = ['Host bastion', '  HostName 127.0.0.1', `  Port ${bastion.port}`, `  User ${user()}`];
  return [...own, `  UserKnownHostsFile ${file}`, key()];
}

async function version(host: SshHost, at = connections()): Promise<string> {
  return (await (await at.engine(host)).version()).ApiVersion;
}

/** An agent with the key, as password managers have one at a socket of their own. */
async function withAgent<T>(work: (socket: string) => Promise<T>): Promise<T> {
  const socket = join(lab.folder, `agent${runs++}`);
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  try {
    await vi.waitFor(() => command('env', `SSH_AUTH_SOCK=${socket}`, 'ssh-add', '-q', lab.identity), {
      timeout: 10_000,
    });
    return await work(socket);
  } finally {
    agent.kill();
    await once(agent, 'exit');
  }
}

beforeAll(async () => {
  lab = await SshLab.open();
  vi.stubEnv('XDG_RUNTIME_DIR', lab.folder);
  vi.stubEnv('SSH_AUTH_SOCK', '');
  [server, bastion] = [await lab.server(), await lab.server()];
});

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close({ disconnect: true });
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await lab.close();
});

describe('with `ssh: { config: FILE }` a host is reached as ssh reaches it:', () => {
  test.each<readonly [string, () => Promise<readonly string[]>]>([
    ['alias, port, user and key', async () => [...web(), key()]],
    ['a pattern for many hosts', async () => [...web(), 'Host w*', key(), 'Host *', '  ConnectTimeout 5']],
    ['a jump', async () => [...web(), key(), '  ProxyJump bastion', ...(await between())]],
    [
      'a command to connect',
      async () => {
        const way = await written(...(await between()));
        return [...web(), key(), `  ProxyCommand ssh -F ${way} -W %h:%p bastion`];
      },
    ],
    ['an included file', async () => [`Include ${await written(...web(), key())}`]],
    [
      'forwards, commands, terminals and shared connections, which are not for this',
      async () => {
        const taken = createServer().listen(0, '127.0.0.1');
        await once(taken, 'listening');
        const port = (taken.address() as AddressInfo).port;
        taken.close();
        return [
          ...web(),
          key(),
          ...[
            `  LocalForward ${port} 127.0.0.1:1`,
            '  RemoteCommand sleep 60',
            '  RequestTTY force',
            '  LogLevel QUIET',
          ],
          ...['  ControlMaster auto', `  ControlPath ${lab.folder}/own-%C`, '  ControlPersist 1', '  SessionType none'],
        ];
      },
    ],
  ])('%s', async (_what, lines) => {
    const host = hostOf('ssh://web', { hostKey: server.fingerprint, sshConfig: await written(...(await lines())) });
    expect(await version(host)).toMatch(/^1\.\d+$/);
  });

  test('an agent at a socket of its own', async () => {
    await withAgent(async (socket) => {
      const sshConfig = await written(...web(), `  IdentityAgent ${socket}`);
      expect(await version(hostOf('ssh://web', { hostKey: server.fingerprint, sshConfig }))).toMatch(/^1\./);
    });
  });

  test('what the target says itself comes first', async () => {
    const sshConfig = await written(
      'Host web',
      '  HostName 127.0.0.1',
      '  Port 1',
      '  User nobody',
      '  IdentityFile /absent',
    );
    const url = `ssh://${user()}@web:${server.port}`;
    const host = hostOf(url, { hostKey: server.fingerprint, identity: lab.identity, sshConfig });
    expect(await version(host)).toMatch(/^1\./);
  });
});

describe('an ssh_config', () => {
  test('is not read unless it is asked for', async () => {
    await expect(version(hostOf('ssh://web.invalid', { hostKey: server.fingerprint }))).rejects.toMatchObject({
      message: expect.stringContaining('its name is not found'),
      hint: expect.stringContaining('`ssh: { config: true }`'),
    });
  });

  test('does not say which host key is good: a person does, and another one is refused', async () => {
    const lax = [...web(), key(), '  StrictHostKeyChecking no', '  UserKnownHostsFile /dev/null'];
    const sshConfig = await written(...lax, '  NoHostAuthenticationForLocalhost yes', '  KnownHostsCommand /bin/true');
    const host = hostOf('ssh://web', { sshConfig });
    const fresh = connections();
    await expect(version(host, fresh)).rejects.toMatchObject({ name: 'HostKeyUnknownError' });
    await fresh.trustHostKey(host, server.fingerprint);
    expect(await version(host, fresh)).toMatch(/^1\./);
    const other = hostOf('ssh://web', { sshConfig, hostKey: bastion.fingerprint });
    await expect(version(other)).rejects.toMatchObject({ name: 'HostKeyChangedError' });
  });

  test('that leads through a machine whose key the user never accepted says which command helps', async () => {
    const sshConfig = await written(...web(), key(), '  ProxyJump bastion', ...(await between(false)));
    await expect(version(hostOf('ssh://web', { hostKey: server.fingerprint, sshConfig }))).rejects.toMatchObject({
      message: 'prod-1: a machine on the way there, from the ssh_config, is not known by its host key',
      hint: expect.stringContaining('run `ssh web` by hand once'),
    });
  });

  test('that is not there, or is none, is named', async () => {
    const absent = hostOf('ssh://web', { hostKey: server.fingerprint, sshConfig: '/absent/ssh_config' });
    await expect(version(absent)).rejects.toMatchObject({
      message: expect.stringContaining('ssh cannot use the ssh_config'),
      details: [expect.stringContaining('/absent/ssh_config')],
    });
    const wrong = hostOf('ssh://web', { hostKey: server.fingerprint, sshConfig: await written('Hots web') });
    await expect(version(wrong)).rejects.toMatchObject({
      details: [expect.stringMatching(/hots/i), expect.anything()],
    });
  });
});

test("`ssh: { config: true }` reads the user's own", async () => {
  const folder = join(lab.folder, 'own');
  await mkdir(folder, { mode: 0o700 });
  await writeFile(join(folder, 'config'), [...web(), key(), ''].join('\n'), { mode: 0o600 });
  const program = join(lab.folder, 'connect.mjs');
  const host = hostOf('ssh://web', { hostKey: server.fingerprint, sshConfig: true });
  const contents = `import { Connections } from './infra/docker/connections.ts';
    const connections = new Connections({ stateDir: ${JSON.stringify(join(lab.folder, 'stateOwn'))} });
    const engine = await connections.engine(${JSON.stringify(host)});
    console.log((await engine.version()).ApiVersion);
    await connections.close({ disconnect: true });`;
  const options = { bundle: true, platform: 'node', format: 'esm', outfile: program, logLevel: 'error' } as const;
  await build({ ...options, stdin: { contents, resolveDir: process.cwd(), loader: 'ts' } });
  const made = await mkdir(join(homedir(), '.ssh'), { recursive: true, mode: 0o700 });
  const script = 'mount --bind "$1" "$2" && exec "$3" "$4"';
  const words = ['sh', '-c', script, 'own', folder, join(homedir(), '.ssh'), process.execPath, program];
  try {
    expect(await command('unshare', '-m', ...words)).toMatch(/^1\./);
  } finally {
    if (made !== undefined) await rmdir(made);
  }
});

describe('ssh works with', () => {
  test.each(['a "b', "it's\nb", '100%h', '$HOME', 'a\\b', 'größe:日本'])(
    'a project in a folder called %j',
    async (name) => {
      const folder = join(lab.folder, name);
      await mkdir(folder, { recursive: true });
      const identity = join(folder, 'id key');
      await command('cp', '-p', lab.identity, identity);
      const sshConfig = join(folder, 'ssh config');
      await writeFile(sshConfig, [...web(), ''].join('\n'));
      const jump = bastion.login;
      const host = hostOf('ssh://web', { hostKey: server.fingerprint, identity, jump, sshConfig });
      const at = connections(folder);
      await at.trustHostKey(host, bastion.fingerprint);
      expect(await version(host, at)).toMatch(/^1\./);
    },
  );

  test.each(['/usr/sbin/nologin', '/bin/false', '/absent', '/usr/bin/python3', '/bin/sh -x'])(
    'a login shell of the operator that is %j',
    async (shell) => {
      vi.stubEnv('SHELL', shell);
      const at = connections();
      const host = hostOf(server.url, { identity: lab.identity, hostKey: server.fingerprint, jump: bastion.login });
      await at.trustHostKey(host, bastion.fingerprint);
      expect(await version(host, at)).toMatch(/^1\./);
    },
  );

  test('an account on the host whose login shell runs nothing', async () => {
    const closed = await lab.server(['ForceCommand /usr/sbin/nologin']);
    const host = hostOf(closed.url, { identity: lab.identity, hostKey: closed.fingerprint });
    expect(await version(host)).toMatch(/^1\./);
  });
});
