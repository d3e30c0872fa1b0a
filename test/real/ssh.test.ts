import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LockageError } from '../../pipelines/errors.ts';
import { Connections, HostKeyChangedError, HostKeyUnknownError } from '../../infra/docker/connections.ts';
import { fromRecord, sshHostOf, type TargetRecord } from '../../pipelines/model/target-record.ts';
import type { SshHost } from '../../pipelines/model/target.ts';
import { command, engineSocket, freePort, importShellImage, removeAll, testPrefix } from '../support/engine-fixture.ts';
import { SshLab, type SshServer } from '../support/sshd-fixture.ts';

const prefix = testPrefix();
let lab: SshLab;
let server: SshServer;
let folders = 0;
const opened: Connections[] = [];

function connections(stateDir = join(lab.folder, `state${folders++}`)): Connections {
  const made = new Connections({ stateDir });
  opened.push(made);
  return made;
}

function hostAt(sshd: SshServer, extra: Partial<TargetRecord> = {}): SshHost {
  const { identity } = lab;
  return sshHostOf({ name: 'prod-1', url: sshd.url + engineSocket, address: '127.0.0.1', identity, ...extra });
}

const pinned = (sshd: SshServer, extra: Partial<TargetRecord> = {}) =>
  hostAt(sshd, { hostKey: sshd.fingerprint, ...extra });

/** Both keys, as a person compares them. */
const shown = (accepted: string, { fingerprint }: SshServer) => [
  `accepted: ${accepted}`,
  expect.stringContaining(`offered:  ${fingerprint}`),
];

async function killMasters(): Promise<void> {
  for (const pid of await lab.masterPids()) process.kill(pid, 'SIGKILL');
  await expect.poll(() => lab.masterPids()).toEqual([]);
}

beforeAll(async () => {
  lab = await SshLab.open();
  process.env.XDG_RUNTIME_DIR = lab.folder;
  server = await lab.server();
  await importShellImage(`${prefix}:1`);
});

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close({ disconnect: true });
});

afterAll(async () => {
  await lab.close();
  await removeAll(prefix);
});

describe('an engine over ssh', () => {
  it('answers, streams and takes stdin like a local one', async () => {
    const engine = await connections().engine(pinned(server));
    const name = `${prefix}-exec`;
    await engine.createContainer(name, { Image: `${prefix}:1` });
    await engine.startContainer(name);
    const input = 'größe\n'.repeat(50_000);
    expect((await engine.exec(name, ['cat'], { stdin: input })).stdout).toBe(input);
    await engine.removeContainer(name, { force: true });
  });

  it('reuses the login of an earlier command, at the same socket', async () => {
    const stateDir = join(lab.folder, 'shared');
    const first = await connections(stateDir).engine(pinned(server));
    const before = await lab.masterPids();
    const second = await connections(stateDir).engine(pinned(server));
    expect(second.address).toEqual(first.address);
    expect(await lab.masterPids()).toEqual(before);
    expect(before).toHaveLength(1);
  });

  it('connects anew when the connection died between two requests', async () => {
    const engine = await connections().engine(pinned(server));
    await engine.info();
    await killMasters();
    expect((await engine.info()).OSType).toBe('linux');
    await killMasters();
    const answers = await Promise.all(Array.from({ length: 20 }, () => engine.listContainers()));
    expect(answers).toHaveLength(20);
    await killMasters();
    const network = `${prefix}-flap`;
    await engine.createNetwork(network);
    await engine.removeNetwork(network);
  });

  it('is connected once by many at the same time, in one process and in several', async () => {
    const stateDir = join(lab.folder, 'race');
    const all = Array.from({ length: 6 }, () => connections(stateDir));
    await Promise.all(all.map((each) => each.engine(pinned(server))));
    expect(await lab.masterPids()).toHaveLength(1);
    await all[0]?.close({ disconnect: true });
    expect(await lab.masterPids()).toHaveLength(0);

    const program = join(lab.folder, 'connect.mjs');
    const contents = `import { Connections } from './infra/docker/connections.ts';
      const connections = new Connections({ stateDir: ${JSON.stringify(stateDir)} });
      const engine = await connections.engine(${JSON.stringify(pinned(server))});
      console.log((await engine.version()).ApiVersion);
      await connections.close();`;
    const options = { bundle: true, platform: 'node', format: 'esm', outfile: program, logLevel: 'error' } as const;
    await build({ ...options, stdin: { contents, resolveDir: process.cwd(), loader: 'ts' } });
    const outputs = await Promise.all(Array.from({ length: 5 }, () => command(process.execPath, program)));
    expect(new Set(outputs).size).toBe(1);
    expect(await lab.masterPids()).toHaveLength(1);
  });

  it('keeps what it writes from other users', async () => {
    const stateDir = join(lab.folder, 'private');
    const engine = await connections(stateDir).engine(pinned(server));
    expect((await stat(join(stateDir, 'known_hosts'))).mode & 0o077).toBe(0);
    const { socketPath = '' } = engine.address as { socketPath?: string };
    expect((await stat(socketPath)).mode & 0o077).toBe(0);
    expect((await stat(join(lab.folder, 'lockage'))).mode & 0o077).toBe(0);
  });
});

describe('an sshd at which too many log in at once', () => {
  const throttles = /MaxStartups throttling/;
  let busy: SshServer;

  beforeAll(async () => {
    busy = await lab.server(['MaxStartups 1']);
  });

  it('drops the login, which is tried again until it is let in', async () => {
    const loiterer = await busy.connectIdle();
    const connecting = connections().engine(pinned(busy));
    connecting.catch(() => undefined);
    await expect.poll(() => busy.log()).toMatch(throttles);
    loiterer.destroy();
    expect((await (await connecting).info()).OSType).toBe('linux');
    expect(await lab.masterPids()).toHaveLength(1);
  });

  it('is named with what helps, when it goes on like that', async () => {
    const loiterer = await busy.connectIdle();
    await expect(connections().engine(pinned(busy))).rejects.toMatchObject({
      message: expect.stringMatching(/^prod-1: cannot connect to .*: its sshd drops connections$/),
      hint: expect.stringContaining('MaxStartups'),
    });
    loiterer.destroy();
  });
});

describe('what is offered to a machine', () => {
  const hello = () => createServer((_, response) => response.end('hello'));
  const ask = async (port: number) => (await fetch(`http://127.0.0.1:${port}/`)).text();

  it('is reached there at a port of its loopback, until it is taken back', async () => {
    const link = connections().link(pinned(server));
    const offers = await Promise.all([link.reverseForward(hello()), link.reverseForward(hello())]);
    for (const { port } of offers) expect(await ask(port)).toBe('hello');
    for (const offer of offers) await offer.end();
    for (const { port } of offers) await expect(ask(port)).rejects.toThrow();
    expect((await readdir(join(lab.folder, 'lockage'))).filter((name) => name.endsWith('.offer'))).toEqual([]);
    await link.disconnect();
  });

  it('stays, as does a script, when another command finds the engine silent and logs in again', async () => {
    const at = (name: string) => join(lab.folder, name);
    const engine = createServer((_, response) => response.end('{"ApiVersion":"1.47"}'));
    await new Promise<void>((resolve) => engine.listen(at('restarted.sock'), resolve));
    const host = pinned(server, { url: server.url + at('restarted.sock') });
    const mine = connections(at('restarted'));
    await mine.engine(host);
    const before = await lab.masterPids();
    const text = 'touch "$1"; until [ -e "$2" ]; do sleep 0.1; done; echo done';
    const script = mine.link(host).script(text, [at('begun'), at('end')], { deadline: 30_000 });
    const offer = await mine.link(host).reverseForward(hello());
    await expect.poll(() => readdir(lab.folder)).toContain('begun');

    engine.closeAllConnections();
    await new Promise((resolve) => engine.close(resolve));
    await expect(connections(at('restarted')).engine(host)).rejects.toThrow(/there is no \S+restarted\.sock on/);
    expect(await lab.masterPids()).not.toEqual(before);
    expect(await ask(offer.port)).toBe('hello');
    await writeFile(at('end'), '');
    expect(await script).toMatchObject({ code: 0, stdout: 'done\n' });
    await offer.end();
    await expect.poll(() => ask(offer.port).catch(() => 'nobody')).toBe('nobody');
  });

  it('needs an sshd that allows it', async () => {
    const strict = await lab.server(['AllowTcpForwarding local']);
    const refused = connections().link(pinned(strict)).reverseForward(hello());
    await expect(refused).rejects.toThrow(/^prod-1: its sshd opens no port/);
    await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining('AllowTcpForwarding') });
  });
});

describe('host keys', () => {
  it('are shown at first contact, and accepted only by their fingerprint', async () => {
    const mine = connections();
    const host = hostAt(server);
    const first = await mine.engine(host).catch((error: unknown) => error);
    expect(first).toBeInstanceOf(HostKeyUnknownError);
    expect((first as HostKeyUnknownError).keys.map((key) => key.fingerprint)).toEqual([server.fingerprint]);
    expect((first as HostKeyUnknownError).message).toContain('prod-1');
    await expect(mine.trustHostKey(host, 'SHA256:wrong')).rejects.toThrow(HostKeyChangedError);
    await expect(mine.engine(host)).rejects.toThrow(HostKeyUnknownError);
    await mine.trustHostKey(host, server.fingerprint);
    await (await mine.engine(host)).ping();
  });

  it('that differ from the pinned one are refused, with both shown', async () => {
    const refused = connections().engine(hostAt(server, { hostKey: 'SHA256:somethingelse' }));
    await expect(refused).rejects.toThrow(HostKeyChangedError);
    await expect(refused).rejects.toMatchObject({
      details: shown('SHA256:somethingelse', server),
    });
  });

  it('that changed are refused until a person accepts the new one', async () => {
    const changing = await lab.server();
    const stateDir = join(lab.folder, 'changing');
    const before = connections(stateDir);
    const host = hostAt(changing);
    await before.trustHostKey(host, changing.fingerprint);
    await before.engine(host);
    await before.close({ disconnect: true });
    const old = changing.fingerprint;
    await changing.stop();
    await changing.newHostKey();
    await changing.start();

    const refused = connections(stateDir).engine(host);
    await expect(refused).rejects.toThrow(HostKeyChangedError);
    await expect(refused).rejects.toMatchObject({ details: shown(old, changing) });
    await (await connections(stateDir).engine(pinned(changing))).ping();
    expect((await readFile(join(stateDir, 'known_hosts'), 'utf8')).trim().split('\n')).toHaveLength(1);
  });
});

describe('a host behind another', () => {
  it('is reached after both keys were confirmed', async () => {
    const jump = await lab.server();
    const mine = connections();
    const host = hostAt(server, { jump: jump.login });
    const first = await mine.engine(host).catch((error: unknown) => error);
    expect(first).toMatchObject({ name: 'HostKeyUnknownError', address: jump.login });
    await mine.trustHostKey(host, jump.fingerprint);
    const second = await mine.engine(host).catch((error: unknown) => error);
    expect(second).toMatchObject({ name: 'HostKeyUnknownError', address: server.login });
    expect((second as HostKeyUnknownError).keys.map((key) => key.fingerprint)).toEqual([server.fingerprint]);
    await mine.trustHostKey(host, server.fingerprint);
    await (await mine.engine(host)).ping();
  });

  it('is refused when the key behind it, or its own, is another', async () => {
    const jump = await lab.server();
    const stateDir = join(lab.folder, 'jump');
    const mine = connections(stateDir);
    const host = hostAt(server, { jump: jump.login, hostKey: 'SHA256:somethingelse' });
    await mine.trustHostKey(host, jump.fingerprint);
    await expect(mine.engine(host)).rejects.toMatchObject({ details: shown('SHA256:somethingelse', server) });

    await (await mine.engine(pinned(server, { jump: jump.login }))).ping();
    await mine.close({ disconnect: true });
    const old = jump.fingerprint;
    await jump.stop();
    await jump.newHostKey();
    await jump.start();
    const refused = connections(stateDir).engine(pinned(server, { jump: jump.login }));
    await expect(refused).rejects.toMatchObject({ details: shown(old, jump) });
  });
});

describe('what keeps a host from answering is said by name', () => {
  it.each([
    [
      'a port nobody listens on',
      async () => ({ url: `ssh://root@127.0.0.1:${await freePort()}` }),
      /connection was refused/,
    ],
    ['a name nobody knows', async () => ({ url: 'ssh://root@no-such-host.invalid' }), /its name is not found/],
    ['a key that is not there', async () => ({ identity: join(lab.folder, 'absent') }), /absent cannot be read/],
    ['a key the host does not accept', async () => ({ identity: await otherKey() }), /no key was accepted/],
    ['no engine there', async () => ({ url: `${server.url}/run/absent.sock` }), /there is no \/run\/absent\.sock on/],
  ])('%s', async (_, change, message) => {
    const failure = connections().engine(pinned(server, await change()));
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow(/^prod-1: /);
    await expect(failure).rejects.toBeInstanceOf(LockageError);
  });

  it('forwarding that sshd forbids', async () => {
    const strict = await lab.server(['AllowStreamLocalForwarding no']);
    const failure = connections().engine(pinned(strict));
    await expect(failure).rejects.toThrow(/^prod-1: no Docker Engine answers/);
    await expect(failure).rejects.toMatchObject({ hint: expect.stringContaining('AllowStreamLocalForwarding') });
  });

  it('and the others are connected all the same', async () => {
    const good = pinned(server);
    const bad = pinned(server, { name: 'prod-2', url: `ssh://root@127.0.0.1:${await freePort()}` });
    const local = fromRecord({ name: 'here', url: `unix://${engineSocket}`, address: '127.0.0.1' });
    const results = await connections().connectAll([good, bad, local], 2);
    expect(results.map((result) => [result.host.name, 'engine' in result])).toEqual([
      ['prod-1', true],
      ['prod-2', false],
      ['here', true],
    ]);
  });
});

async function otherKey(): Promise<string> {
  const file = join(lab.folder, 'other');
  await command('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file);
  return file;
}
