import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineError, type OutputLine } from '../../infra/docker/api/client.ts';
import { namelessVolumes } from '../../infra/workloads/container/inventory.ts';
import { docker, importShellImage, openEngine, removeAll, testPrefix } from '../support/engine-fixture.ts';

const prefix = testPrefix();
const image = `${prefix}:1`;
const engine = openEngine();

async function runningContainer(suffix: string, command = ['sleep', '3600'], hostConfig = {}): Promise<string> {
  const name = `${prefix}-${suffix}`;
  await engine.createContainer(name, {
    Image: image,
    Cmd: command,
    Labels: { 'lockage.test': prefix, kind: suffix },
    HostConfig: { ...hostConfig },
  });
  await engine.startContainer(name);
  return name;
}

async function lines(source: AsyncIterable<OutputLine>): Promise<OutputLine[]> {
  const found: OutputLine[] = [];
  for await (const line of source) found.push(line);
  return found;
}

function stopAfter(milliseconds: number, reason: Error): AbortController {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), milliseconds);
  return controller;
}

beforeAll(() => importShellImage(image), 60_000);
afterAll(async () => {
  await removeAll(prefix);
  engine.close();
});

describe('the engine itself', () => {
  it('answers ping, version and info', async () => {
    await engine.ping();
    expect((await engine.version()).Version).toMatch(/^\d+\./);
    expect((await engine.info()).OSType).toBe('linux');
  });

  it('answers 200 calls at once over few connections', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => engine.inspectImage(image)));
    expect(new Set(answers.map((answer) => answer?.Id)).size).toBe(1);
  });
});

describe('a container', () => {
  it('goes through create, start, rename, update, stop, remove; each repeated without harm', async () => {
    const name = await runningContainer('life');
    await engine.startContainer(name);
    const renamed = `${name}-renamed`;
    await docker('rename', name, renamed);
    await engine.updateContainer(renamed, { PidsLimit: 50 });
    const details = await engine.inspectContainer(renamed);
    expect(details?.State.Running).toBe(true);
    expect(details?.HostConfig.PidsLimit).toBe(50);

    await engine.stopContainer(renamed, 200);
    await engine.stopContainer(renamed, 200);
    expect(await engine.waitContainer(renamed)).toBe(137);
    await engine.removeContainer(renamed);
    await engine.removeContainer(renamed);
    expect(await engine.inspectContainer(renamed)).toBeUndefined();
  });

  it('is listed by labels, stopped ones only when asked', async () => {
    const name = await runningContainer('listed');
    const labels = { 'lockage.test': prefix, kind: 'listed' };
    expect((await engine.listContainers({ labels })).map((found) => found.Names)).toEqual([[`/${name}`]]);
    await docker('kill', name);
    await engine.waitContainer(name);
    expect(await engine.listContainers({ labels })).toEqual([]);
    expect(await engine.listContainers({ labels, all: true })).toHaveLength(1);
    expect(await engine.listContainers({ labels: { ...labels, kind: 'other' }, all: true })).toEqual([]);
  });

  it('takes along the volumes that nobody named, and no other', async () => {
    const volume = `${prefix}-named`;
    const name = `${prefix}-volumes`;
    await engine.createVolume(volume);
    await engine.createContainer(name, {
      Image: image,
      Volumes: { '/var/nameless': {} },
      HostConfig: { Binds: [`${volume}:/var/named`] },
    });
    const found = (await engine.listContainers({ all: true })).find(({ Names }) => Names.includes(`/${name}`));
    const nameless = found ? namelessVolumes(found) : [];
    expect(nameless).toHaveLength(1);
    expect(await engine.inspectVolume(nameless[0] ?? '')).toBeDefined();
    await engine.removeContainer(name, { force: true });
    expect(await engine.inspectVolume(nameless[0] ?? '')).toBeUndefined();
    expect(await engine.inspectVolume(volume)).toBeDefined();
  });

  it('reports the exit code of a command that ended', async () => {
    const name = await runningContainer('exit', ['sh', '-c', 'exit 7']);
    expect(await engine.waitContainer(name, { deadline: 10_000 })).toBe(7);
  });

  it('waits no longer than the deadline, or until the signal', async () => {
    const name = await runningContainer('slow');
    await expect(engine.waitContainer(name, { deadline: 150 })).rejects.toThrow(/here: cannot wait .* within 0.15 s/);
    const reason = new Error('interrupted');
    await expect(engine.waitContainer(name, { signal: stopAfter(50, reason).signal })).rejects.toBe(reason);
  });

  it('with a taken name is refused with the host, the deed and the engine’s reason', async () => {
    const name = await runningContainer('twice');
    const again = engine.createContainer(name, { Image: image });
    await expect(again).rejects.toThrow(EngineError);
    await expect(again).rejects.toMatchObject({ host: 'here', status: 409 });
    await expect(again).rejects.toThrow(/^here: cannot create container .*already in use/);
  });
});

describe('logs', () => {
  it('come as lines, per stream, with whole UTF-8 characters', async () => {
    const name = await runningContainer('logs', ['sh', '-c', 'echo größe; echo oh 1>&2; printf "no end €"']);
    await engine.waitContainer(name);
    const found = await lines(engine.logs(name));
    expect(found).toContainEqual({ stream: 'stderr', line: 'oh' });
    expect(found.filter(({ stream }) => stream === 'stdout').map(({ line }) => line)).toEqual(['größe', 'no end €']);
    expect(await lines(engine.logs(name, { tail: 1, timestamps: true }))).toHaveLength(1);
    expect(await lines(engine.logs(name, { since: new Date(Date.now() + 60_000) }))).toEqual([]);
  });

  it('of a terminal have no frames', async () => {
    const name = `${prefix}-tty`;
    await engine.createContainer(name, { Image: image, Tty: true, Cmd: ['echo', 'plain'] });
    await engine.startContainer(name);
    await engine.waitContainer(name);
    expect(await lines(engine.logs(name))).toEqual([{ stream: 'stdout', line: 'plain' }]);
  });

  it('are followed until the signal', async () => {
    const name = await runningContainer('follow', ['sh', '-c', 'while echo tick; do sleep 0.05; done']);
    const controller = new AbortController();
    let ticks = 0;
    for await (const { line } of engine.logs(name, { follow: true, signal: controller.signal })) {
      expect(line).toBe('tick');
      if (++ticks === 5) controller.abort();
    }
    expect(ticks).toBeGreaterThanOrEqual(5);
  });
});

describe('exec', () => {
  it('gives code and both streams, with environment, user and folder', async () => {
    const name = await runningContainer('exec');
    const script = 'echo $GREETING; pwd; id -u; echo bad 1>&2; exit 3';
    const result = await engine.exec(name, ['sh', '-c', script], {
      env: { GREETING: 'hi' },
      user: '1234',
      workingDir: '/tmp',
    });
    expect(result).toMatchObject({ code: 3, stdout: 'hi\n/tmp\n1234\n', stderr: 'bad\n', truncated: false });
  });

  it('sends stdin and its end', async () => {
    const name = await runningContainer('stdin');
    const input = Buffer.from('äöü\n'.repeat(100_000));
    const result = await engine.exec(name, ['cat'], { stdin: input });
    expect(result).toMatchObject({ code: 0, wrote: true });
    expect(result.stdout.length).toBe(input.toString().length);
    expect((await engine.exec(name, ['cat'], { stdin: '' })).stdout).toBe('');
    const unread = await engine.exec(name, ['sh', '-c', 'exit 4'], { stdin: input });
    expect(unread).toMatchObject({ code: 4, wrote: false });
  });

  it('keeps the last bytes of too much output', async () => {
    const name = await runningContainer('much');
    const result = await engine.exec(name, ['seq', '1', '100000'], { maxOutput: 12 });
    expect(result).toMatchObject({ code: 0, truncated: true, stdout: '9999\n100000\n' });
  });

  it('tells a missing command by its code', async () => {
    const name = await runningContainer('missing');
    const { code } = await engine.exec(name, ['no-such-program']);
    expect([126, 127]).toContain(code);
  });

  it('ends at the deadline and at the signal', async () => {
    const name = await runningContainer('deadline');
    await expect(engine.exec(name, ['sleep', '60'], { deadline: 200 })).rejects.toThrow(/not ended within 0.2 s/);
    const reason = new Error('interrupted');
    const { signal } = stopAfter(100, reason);
    await expect(engine.exec(name, ['sleep', '60'], { signal })).rejects.toBe(reason);
    await expect(engine.exec(name, ['true'], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('works many times at once', async () => {
    const name = await runningContainer('many');
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => engine.exec(name, ['echo', String(i)])));
    expect(results.map(({ stdout }) => stdout.trim())).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
  });
});

describe('files, networks, volumes', () => {
  it('writes files with owner and mode before the container starts', async () => {
    const name = `${prefix}-files`;
    await engine.createContainer(name, { Image: image, Cmd: ['sleep', '3600'] });
    await engine.putArchive(name, '/etc', [
      { path: 'app', type: 'directory', mode: 0o750, uid: 33 },
      { path: 'app/config', content: 'größe', mode: 0o440, uid: 33, gid: 44 },
    ]);
    await engine.startContainer(name);
    const { stdout } = await engine.exec(name, ['stat', '-c', '%n %a %u %g %s', '/etc/app', '/etc/app/config']);
    expect(stdout).toMatch(/\/etc\/app 750 33 0 \d+\n\/etc\/app\/config 440 33 44 7\n/);
  });

  it('says where a link leads to, also of what is not there, and of a container that does not run', async () => {
    const name = await runningContainer('links');
    await engine.exec(name, ['busybox', 'ln', '-s', '8 0fc03577 7', '/etc/fence']);
    expect(await engine.linkTarget(name, '/etc/fence')).toBe('/etc/8 0fc03577 7');
    await engine.stopContainer(name, 0);
    expect(await engine.linkTarget(name, '/etc/fence')).toBe('/etc/8 0fc03577 7');
    expect(await engine.linkTarget(name, '/etc')).toBeUndefined();
    expect(await engine.linkTarget(name, '/etc/none')).toBeUndefined();
    expect(await engine.linkTarget(`${prefix}-none`, '/etc/fence')).toBeUndefined();
  });

  it('creates, finds, connects and removes', async () => {
    const network = `${prefix}-net`;
    expect(await engine.inspectNetwork(network)).toBeUndefined();
    await engine.createNetwork(network, { Labels: { a: 'b' } });
    await expect(engine.createNetwork(network)).rejects.toMatchObject({ status: 409 });
    const name = await runningContainer('networked');
    await docker('network', 'connect', network, name);
    expect(Object.keys((await engine.inspectNetwork(network))?.Containers ?? {})).toHaveLength(1);
    await docker('network', 'disconnect', network, name);
    await engine.removeNetwork(network);
    await engine.removeNetwork(network);

    const volume = `${prefix}-volume`;
    expect(await engine.inspectVolume(volume)).toBeUndefined();
    await engine.createVolume(volume, { Labels: { a: 'b' } });
    await engine.createVolume(volume, { Labels: { a: 'b' } });
    expect((await engine.inspectVolume(volume))?.Labels).toEqual({ a: 'b' });
    await engine.removeVolume(volume);
    await engine.removeVolume(volume);
  });
});

describe('images', () => {
  it('are inspected and removed; an absent one is undefined', async () => {
    const other = `${prefix}:gone`;
    await docker('tag', image, other);
    expect((await engine.inspectImage(other))?.Architecture).toBeTruthy();
    await engine.removeImage(other);
    await engine.removeImage(other);
    expect(await engine.inspectImage(other)).toBeUndefined();
  });
});
