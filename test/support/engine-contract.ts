import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { ContainerBody, Engine, OutputLine } from '../../infra/docker/api/client.ts';
import { namelessVolumes } from '../../infra/workloads/container/inventory.ts';
import { createBody } from '../../infra/workloads/container/create-request.ts';
import { differencesOf } from '../../infra/workloads/container/differences.ts';
import { spec } from '../pipelines/model/values.ts';

/** An engine with a small image that has a shell. */
export interface ContractStage {
  readonly engine: Engine;
  readonly image: string;
  /** what the names of all that is made there begin with */
  readonly prefix: string;
  /** Pauses a container, as a person does. */
  pause(container: string, isPaused: boolean): Promise<unknown>;
  /** Returns a port that nobody has. */
  port(): Promise<number>;
}

/** The sentences that hold for every engine that Lockage speaks to, simulated or real: what it relies on. */
export function engineContract(stage: ContractStage): void {
  containersLive(stage);
  containersAreRefused(stage);
  commandsRun(stage);
  filesLie(stage);
  partsStand(stage);
}

/** Returns a function that makes and starts a container. */
function starter({ engine, image, prefix }: ContractStage) {
  return async (suffix: string, body: ContainerBody = {}): Promise<string> => {
    const name = `${prefix}-${suffix}`;
    const HostConfig = { Init: true, ...body.HostConfig };
    await engine.createContainer(name, { Image: image, Cmd: ['sleep', '3600'], ...body, HostConfig });
    await engine.startContainer(name);
    return name;
  };
}

const unlessStopped = { HostConfig: { RestartPolicy: { Name: 'unless-stopped' } } };

function containersLive(stage: ContractStage): void {
  const { engine, image, prefix, pause } = stage;
  const run = starter(stage);
  const stateOf = async (name: string) => (await engine.inspectContainer(name))?.State;

  it('a container goes through create, start, rename, stop and remove; each repeated without harm', async () => {
    const name = `${prefix}-life`;
    await engine.createContainer(name, { Image: image, Cmd: ['sleep', '3600'], HostConfig: { Init: true } });
    expect(await stateOf(name)).toMatchObject({ Status: 'created', Running: false });
    await engine.startContainer(name);
    await engine.startContainer(name);
    const began = await stateOf(name);
    await engine.renameContainer(name, `${name}.old`);
    expect(await stateOf(`${name}.old`)).toMatchObject({ Status: 'running', StartedAt: began?.StartedAt });
    await engine.stopContainer(`${name}.old`, 3000);
    await engine.stopContainer(`${name}.old`, 3000);
    expect(await stateOf(`${name}.old`)).toMatchObject({ Status: 'exited', Running: false, ExitCode: 143 });
    expect(await engine.waitContainer(`${name}.old`)).toBe(143);
    await engine.removeContainer(`${name}.old`);
    await engine.removeContainer(`${name}.old`);
    expect(await engine.inspectContainer(`${name}.old`)).toBeUndefined();
  });

  it('a container is restarted by one call, whether it runs or not', async () => {
    const name = await run('again');
    const began = await stateOf(name);
    await engine.restartContainer(name, 1000);
    const second = await stateOf(name);
    expect(second).toMatchObject({ Running: true });
    expect(second?.StartedAt).not.toBe(began?.StartedAt);
    await engine.stopContainer(name, 1000);
    await engine.restartContainer(name, 1000);
    expect(await stateOf(name)).toMatchObject({ Running: true });
  });

  it('a container that ends by itself is brought back as its policy says, and counted; one that was stopped is not', async () => {
    const name = await run('policy', { Cmd: ['sh', '-c', 'sleep 0.3; exit 7'], ...unlessStopped });
    await expect.poll(async () => (await engine.inspectContainer(name))?.RestartCount).toBeGreaterThan(0);
    await engine.stopContainer(name, 1000);
    await sleep(500);
    expect(await stateOf(name)).toMatchObject({ Running: false, Restarting: false });
    const once = await run('once', { Cmd: ['sh', '-c', 'exit 7'] });
    expect(await engine.waitContainer(once)).toBe(7);
    expect(await engine.inspectContainer(once)).toMatchObject({ RestartCount: 0, State: { Status: 'exited' } });
  });

  it('a container is listed by labels, stopped ones only when asked, and paused ones always', async () => {
    const labels = { 'lockage.contract': prefix, 'lockage.environment': 'prod' };
    const name = await run('listed', { Labels: labels });
    const states = async (all: boolean, wanted = labels) =>
      (await engine.listContainers({ labels: wanted, all })).map(({ Names, State }) => `${Names[0]} ${State}`);
    expect(await states(false)).toEqual([`/${name} running`]);
    await pause(name, true);
    expect(await states(false)).toEqual([`/${name} paused`]);
    expect(await stateOf(name)).toMatchObject({ Status: 'paused', Running: true, Paused: true });
    await pause(name, false);
    await engine.stopContainer(name, 1000);
    expect([await states(false), await states(true)]).toEqual([[], [`/${name} exited`]]);
    expect(await states(true, { ...labels, 'lockage.environment': 'dev' })).toEqual([]);
  });

  it('a container is as it was asked for, until somebody changes it in place', async () => {
    const name = `${prefix}-as-asked`;
    const web = spec('web-1.0.0', 'prod-1', { limits: { ...spec('web-1.0.0').limits, memory: 64 * 2 ** 20 } });
    const body = createBody('shop', prefix, { ...web, name, command: ['sleep', '3600'] });
    const network = body.HostConfig?.NetworkMode ?? '';
    await engine.createNetwork(network);
    await engine.createContainer(name, { ...body, Image: image });
    const differences = async () => {
      const [details, found] = await Promise.all([engine.inspectContainer(name), engine.inspectImage(image)]);
      if (!details || !found) throw new Error(`${name} is gone`);
      return differencesOf(body, found, details)
        .map(({ member }) => member)
        .toSorted();
    };
    expect(await differences()).toEqual([]);
    await engine.startContainer(name);
    expect(await differences()).toEqual([]);
    await engine.updateContainer(name, { PidsLimit: 50, RestartPolicy: { Name: 'unless-stopped' } });
    expect(await differences()).toEqual(['HostConfig.PidsLimit', 'HostConfig.RestartPolicy.Name']);
    await engine.removeContainer(name, { force: true });
    await engine.removeNetwork(network);
  });

  it('a container that is to go by itself does', async () => {
    const name = await run('passing', { HostConfig: { AutoRemove: true } });
    await engine.stopContainer(name, 1000);
    await expect.poll(() => engine.inspectContainer(name)).toBeUndefined();
  });
}

function containersAreRefused(stage: ContractStage): void {
  const { engine, image, prefix, pause, port } = stage;
  const run = starter(stage);

  it('a taken name, a missing image, and the removal of what runs are refused', async () => {
    const name = await run('taken');
    const other = await run('other');
    await expect(engine.createContainer(name, { Image: image })).rejects.toMatchObject({
      status: 409,
      reason: expect.stringContaining('already in use') as string,
    });
    await expect(engine.renameContainer(other, name)).rejects.toMatchObject({ status: 409 });
    await expect(engine.createContainer(`${name}-none`, { Image: `${prefix}:none` })).rejects.toMatchObject({
      status: 404,
    });
    await expect(engine.removeContainer(name)).rejects.toMatchObject({ status: 409 });
    await expect(engine.startContainer(`${name}-none`)).rejects.toMatchObject({ status: 404 });
  });

  it('what is paused or does not run takes no commands, and what is paused is not started', async () => {
    const name = await run('asleep');
    await pause(name, true);
    await expect(engine.exec(name, ['true'])).rejects.toMatchObject({ status: 409 });
    await expect(engine.startContainer(name)).rejects.toMatchObject({ status: 409 });
    await pause(name, false);
    await engine.stopContainer(name, 1000);
    await expect(engine.exec(name, ['true'])).rejects.toMatchObject({ status: 409 });
    await expect(engine.exec(`${name}-none`, ['true'])).rejects.toMatchObject({ status: 404 });
  });

  it('a port is given once', async () => {
    const PortBindings = { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: String(await port()) }] };
    const body = { ExposedPorts: { '80/tcp': {} }, HostConfig: { PortBindings } };
    const first = await run('first-port', body);
    const second = run('second-port', body);
    await expect(second).rejects.toMatchObject({ status: 500 });
    await expect(second).rejects.toThrow('port is already allocated');
    const found = (await engine.listContainers()).find(({ Names }) => Names[0] === `/${first}`);
    const outside = found?.Ports.filter(({ IP }) => IP === '0.0.0.0').map(({ PublicPort }) => String(PublicPort));
    expect(outside).toEqual([PortBindings['80/tcp'][0]?.HostPort]);
    await engine.removeContainer(first, { force: true });
    await engine.startContainer(`${prefix}-second-port`);
  });
}

function commandsRun(stage: ContractStage): void {
  const { engine } = stage;
  const run = starter(stage);

  it('a command has its code, both streams, its variables, its folder and its input to the end', async () => {
    const name = await run('exec', { Env: ['COLOUR=red'] });
    const script = 'echo $GREETING $COLOUR; cat; pwd; echo bad >&2; exit 3';
    const options = { env: { GREETING: 'hi' }, stdin: 'größe\n', workingDir: '/' };
    const result = await engine.exec(name, ['sh', '-c', script], options);
    expect(result).toMatchObject({ code: 3, stderr: 'bad\n', wrote: true });
    expect(result.stdout).toMatch(/^hi red\ngröße\n\/.*\n$/);
    const input = Buffer.from('x'.repeat(300_000));
    expect((await engine.exec(name, ['cat'], { stdin: input })).stdout).toHaveLength(300_000);
    expect([126, 127]).toContain((await engine.exec(name, ['no-such-program'])).code);
  });

  it('output comes as lines of its stream, the last ones where that is asked for', async () => {
    const name = await run('logs', { Cmd: ['sh', '-c', 'echo größe; echo oh >&2; sleep 0.1; echo end'] });
    await engine.waitContainer(name);
    const lines = async (options = {}) => {
      const found: OutputLine[] = [];
      for await (const line of engine.logs(name, options)) found.push(line);
      return found;
    };
    const all = await lines();
    expect(all).toContainEqual({ stream: 'stderr', line: 'oh' });
    expect(all.filter(({ stream }) => stream === 'stdout').map(({ line }) => line)).toEqual(['größe', 'end']);
    expect(await lines({ tail: 1 })).toEqual([{ stream: 'stdout', line: 'end' }]);
  });
}

function filesLie(stage: ContractStage): void {
  const { engine, image, prefix } = stage;
  const run = starter(stage);

  it('files come into a volume and back with their modes, also of a container that never ran', async () => {
    const name = `${prefix}-files`;
    const volume = `${prefix}-files`;
    const Mounts = [{ Type: 'volume', Source: volume, Target: '/data' }] as never;
    await engine.createContainer(name, { Image: image, HostConfig: { Mounts } });
    await engine.putArchive(name, '/data', [
      { path: 'sets', type: 'directory', mode: 0o755 },
      { path: 'sets/8000', content: 'größe', mode: 0o640 },
    ]);
    const found = (await engine.getArchive(name, '/data/sets')) ?? [];
    expect(found.map(({ path, type, mode }) => [path.replace(/\/$/, ''), type, mode & 0o777])).toEqual([
      ['sets', 'directory', 0o755],
      ['sets/8000', 'file', 0o640],
    ]);
    expect(found[1]?.content.toString()).toBe('größe');
    expect(await engine.getArchive(name, '/data/none')).toBeUndefined();
    const reader = await run('reader', { HostConfig: { Mounts } });
    expect((await engine.exec(reader, ['cat', '/data/sets/8000'])).stdout).toBe('größe');
  });

  it('a link says where it leads to, whether or not anything is there or the container runs', async () => {
    const Mounts = [{ Type: 'volume', Source: `${prefix}-links`, Target: '/data' }] as never;
    const name = await run('links', { HostConfig: { Mounts } });
    expect((await engine.exec(name, ['busybox', 'ln', '-s', '8 0fc03577 7', '/data/fence'])).code).toBe(0);
    expect(await engine.linkTarget(name, '/data/fence')).toBe('/data/8 0fc03577 7');
    await engine.stopContainer(name, 1000);
    expect(await engine.linkTarget(name, '/data/fence')).toBe('/data/8 0fc03577 7');
    expect(await engine.linkTarget(name, '/data/none')).toBeUndefined();
    expect(await engine.linkTarget(`${prefix}-none`, '/data/fence')).toBeUndefined();
  });
}

function partsStand(stage: ContractStage): void {
  const { engine, image, prefix } = stage;
  const run = starter(stage);

  it('a volume keeps the labels that it was made with, and stays while a container has it', async () => {
    const volume = `${prefix}-volume`;
    await engine.createVolume(volume, { Labels: { holder: 'first' } });
    await engine.createVolume(volume, { Labels: { holder: 'second' } });
    expect((await engine.inspectVolume(volume))?.Labels).toEqual({ holder: 'first' });
    const { volumes, now } = await engine.volumesNamed(volume);
    expect(volumes.map(({ Name }) => Name)).toEqual([volume]);
    expect(Math.abs(now - Date.parse(volumes[0]?.CreatedAt ?? ''))).toBeLessThan(60_000);
    const Mounts = [{ Type: 'volume', Source: volume, Target: '/data' }] as never;
    await engine.createContainer(`${prefix}-user`, { Image: image, HostConfig: { Mounts } });
    await expect(engine.removeVolume(volume)).rejects.toMatchObject({ status: 409 });
    await engine.removeContainer(`${prefix}-user`);
    await engine.removeVolume(volume);
    await engine.removeVolume(volume);
    expect(await engine.inspectVolume(volume)).toBeUndefined();
  });

  it('volumes that nobody named go with their container, and no other', async () => {
    const name = `${prefix}-nameless`;
    const Mounts = [{ Type: 'volume', Source: `${prefix}-named`, Target: '/named' }] as never;
    await engine.createContainer(name, { Image: image, Volumes: { '/nameless': {} }, HostConfig: { Mounts } });
    const found = (await engine.listContainers({ all: true })).find(({ Names }) => Names.includes(`/${name}`));
    const [nameless = ''] = found ? namelessVolumes(found) : [];
    expect(await engine.inspectVolume(nameless)).toBeDefined();
    await engine.removeContainer(name);
    expect(await engine.inspectVolume(nameless)).toBeUndefined();
    expect(await engine.inspectVolume(`${prefix}-named`)).toBeDefined();
  });

  it('a network is made once, leads to those who run on it by their other names, and stays while somebody does', async () => {
    const network = `${prefix}-net`;
    await expect(engine.inspectNetwork(network)).resolves.toBeUndefined();
    const name = `${prefix}-member`;
    const NetworkingConfig = { EndpointsConfig: { [network]: { Aliases: ['web'] } } };
    const HostConfig = { NetworkMode: network, Init: true };
    await engine.createNetwork(network, { Labels: { owner: prefix } });
    await expect(engine.createNetwork(network)).rejects.toMatchObject({ status: 409 });
    expect(await engine.listNetworks({ owner: prefix })).toEqual([network]);
    await engine.createContainer(name, { Image: image, Cmd: ['sleep', '3600'], HostConfig, NetworkingConfig });
    const on = async () => (await engine.inspectContainer(name))?.NetworkSettings.Networks[network];
    expect((await on())?.IPAddress).toBe('');
    await engine.startContainer(name);
    expect((await on())?.IPAddress).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect((await on())?.Aliases).toContain('web');
    await expect(engine.removeNetwork(network)).rejects.toMatchObject({ status: 403 });
    await engine.stopContainer(name, 1000);
    await engine.removeNetwork(network);
    await engine.removeNetwork(network);
    await expect(engine.startContainer(name)).rejects.toMatchObject({ status: 404 });
  });

  it('an image has its names, and stays while a container is made of it', async () => {
    const other = { repository: `${prefix}-image`, tag: 'gone' };
    const name = `${other.repository}:${other.tag}`;
    await engine.tagImage(image, other);
    expect((await engine.inspectImage(name))?.Id).toBe((await engine.inspectImage(image))?.Id);
    await engine.removeImage(name);
    await engine.removeImage(name);
    expect(await engine.inspectImage(name)).toBeUndefined();
    await run('image-user');
    await expect(engine.removeImage(image)).rejects.toMatchObject({ status: 409 });
    expect(await engine.inspectImage(image)).toMatchObject({ Os: 'linux' });
  });
}
