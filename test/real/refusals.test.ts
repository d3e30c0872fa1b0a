import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject, type CommandResult, type Snapshot } from '../support/pipeline-fixture.ts';
import { manifestTypes } from '../support/registry-upload.ts';

// The engines of prod have their data on a file system of this size, which a test fills.
const disk = 700 * 2 ** 20;

describe.runIf(labsWork)('refused before any change', () => {
  let project: TestProject;
  let before: { prod: Snapshot; spare: Snapshot };

  beforeAll(async () => {
    const environments = { prod: { hosts: 2, reach: 'ssh', disk }, spare: { hosts: 1, reach: 'unix' } } as const;
    const pipeline = [{ name: 'prod' }, { name: 'spare', after: [] }];
    project = await TestProject.open({ environments }, { pipeline });
    await git('init', '--quiet');
    await commit();
    await project.succeed('release', '1.0.0');
    await project.publish({ '1.1.0': {} });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
  }, setupTime);

  afterAll(async () => project?.remove());

  beforeEach(async () => {
    before = { prod: await project.snapshot('prod'), spare: await project.snapshot('spare') };
  });

  const git = (...words: string[]) =>
    command('git', '-C', project.folder, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...words);
  const commit = async () => {
    await git('add', '--all');
    await git('commit', '--quiet', '--message', 'A change');
  };
  const tagged = (tag: string) => `${project.lab.registry}/trial:${tag}`;

  async function digestOf(released: string): Promise<string> {
    const { releases } = (await project.succeed('releases')).json;
    return releases.find(({ version }: { version: string }) => version === released).digest;
  }

  /** Gives the registry an image like another one that says to be for another architecture. */
  async function pushForArm(from: string, to: string): Promise<void> {
    const url = `http://${project.lab.registry}/v2/trial`;
    const accept = Object.values(manifestTypes).join(', ');
    const answered = await fetch(`${url}/manifests/${from}`, { headers: { accept } });
    const type = answered.headers.get('content-type') ?? '';
    const manifest: any = await answered.json();
    const config: any = await (await fetch(`${url}/blobs/${manifest.config.digest}`)).json();
    const body = JSON.stringify({ ...config, architecture: 'arm64' });
    const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
    const upload = (await fetch(`${url}/blobs/uploads/`, { method: 'POST' })).headers.get('location') ?? '';
    const place = new URL(upload, url);
    place.searchParams.set('digest', digest);
    expect((await fetch(place, { method: 'PUT', body })).status).toBe(201);
    const changed = { ...manifest, config: { ...manifest.config, digest, size: Buffer.byteLength(body) } };
    const put = { method: 'PUT', headers: { 'content-type': type }, body: JSON.stringify(changed) };
    expect((await fetch(`${url}/manifests/${to}`, put)).status).toBe(201);
  }

  /** The cause stands in message or details, and nothing is different on any host. */
  async function expectRefused(result: CommandResult, ...causes: (string | RegExp)[]): Promise<void> {
    expect([result.code, result.signal], result.stderr).toEqual([2, null]);
    const { message, details, hint } = result.json.error;
    const said = [message, ...details, hint ?? ''].join('\n');
    for (const cause of causes) expect(said).toMatch(cause);
    expect({ prod: await project.snapshot('prod'), spare: await project.snapshot('spare') }).toEqual(before);
  }

  test('what is no version', async () => {
    await expectRefused(await project.run('release', 'v1', '--json'), /v1/);
  });

  test('a release from a tree with uncommitted changes', async () => {
    await project.configure({ env: { GREETING: 'hello' } });
    await expectRefused(await project.run('release', '1.2.0', '--json'), 'uncommitted changes', 'lockage.yaml');
    await commit();
  });

  test('a version that exists and was made of something else', async () => {
    await expectRefused(
      await project.run('release', '1.0.0', '--image', tagged('build-1.1.0'), '--json'),
      /1\.0\.0 exists/,
    );
    await expectRefused(await project.run('release', '1.0.0', '--json'), /1\.0\.0 exists/);
  });

  test('a version or an environment that there is not', async () => {
    await expectRefused(
      await project.promote('1.0.1', 'prod'),
      'there is no release 1.0.1',
      /latest releases: 1\.1\.0/,
    );
    await expectRefused(await project.promote('1.1.0', 'prd'), /prd/, /did you mean prod/);
  });

  test('a tag that was moved', async () => {
    await project.docker('tag', tagged('build-1.1.0'), tagged('1.0.0'));
    await project.docker('push', '--quiet', tagged('1.0.0'));
    await expectRefused(await project.promote('1.0.0', 'spare'), 'tag 1.0.0 was moved since the release was made');
  });

  test('a release that is blocked enters nothing, and why says so', async () => {
    await project.succeed('block', '1.1.0', '--reason', 'loses orders');
    const refused = await project.promote('1.1.0', 'spare');
    await expectRefused(refused, /1\.1\.0 is blocked since .*: loses orders/, 'lockage unblock 1.1.0');
    const why = await project.run('why', '1.1.0', '--to', 'spare', '--json');
    expect([why.code, why.json.mayEnter], why.stderr).toEqual([2, false]);
    const closed = why.json.gates.filter(({ met }: { met: boolean }) => !met);
    expect(closed).toMatchObject([{ gate: 'block', command: 'lockage unblock 1.1.0' }]);
    const { releases } = (await project.succeed('releases')).json;
    expect(releases).toContainEqual(expect.objectContaining({ version: '1.1.0', blocked: expect.anything() }));
    await project.succeed('unblock', '1.1.0');
    expect((await project.succeed('why', '1.1.0', '--to', 'spare')).json).toMatchObject({ mayEnter: true });
  });

  test('a release for another architecture', async () => {
    await pushForArm('build-1.1.0', 'arm');
    await project.succeed('release', '1.3.0', '--image', tagged('arm'));
    await expectRefused(await project.promote('1.3.0', 'prod'), 'linux/arm64', 'prod-1 runs linux/amd64', 'prod-2');
  });

  test('a digest that is gone from the registry', async () => {
    await project.publish({ '1.4.0': {} });
    const url = `http://${project.lab.registry}/v2/trial/manifests/${await digestOf('1.4.0')}`;
    const deleted = await fetch(url, { method: 'DELETE' });
    expect(deleted.status).toBe(202);
    await expectRefused(await project.promote('1.4.0', 'prod'), 'release 1.4.0 is gone from the registry');
  });

  test('a registry that does not answer', async () => {
    await project.lab.stopRegistry();
    try {
      await expectRefused(await project.promote('1.1.0', 'prod'), /cannot reach the registry/);
    } finally {
      await project.lab.startRegistry();
    }
  });

  test('a host that does not answer', async () => {
    await project.lab.host('prod-2').unplug();
    try {
      const result = await project.promote('1.1.0', 'prod');
      await expectRefused(result, 'prod-2');
      expect(result.json.error.details).toHaveLength(1);
      // Half of it goes by on the connection that an earlier command left.
      expect(result.took).toBeLessThan(60_000);
    } finally {
      await project.lab.host('prod-2').plug();
    }
  });

  test('an engine that does not run', async () => {
    await project.lab.host('spare-1').stopDocker();
    const result = await project.promote('1.1.0', 'spare');
    await project.lab.host('spare-1').startDocker();
    await expectRefused(result, 'spare-1');
  });

  test('an ssh host with another key than the pinned one', async () => {
    const hostKey = `SHA256:${'A'.repeat(43)}`;
    const targets = project
      .hosts('prod')
      .map(({ name, url, address, identity }) => ({ name, url, address, identity, hostKey }));
    await project.configureEnvironment('prod', { targets });
    await expectRefused(await project.promote('1.1.0', 'prod'), /key/, /prod-1/);
    await project.configureEnvironment('prod', {});
  });

  test('a host whose disk is full', async () => {
    await project.build('1.5.0', {}, 30 * 2 ** 20);
    await project.succeed('release', '1.5.0', '--image', tagged('build-1.5.0'));
    const folder = `${project.lab.dataDir}/hosts/prod-2/docker`;
    await project.lab.host('prod-2').exec(['sh', '-c', `cat /dev/zero > "$1/filling" || true`, 'sh', folder]);
    try {
      await expectRefused(await project.promote('1.5.0', 'prod'), /prod-2.*no space left/);
    } finally {
      await project.lab.host('prod-2').exec(['rm', `${folder}/filling`]);
    }
  });

  describe('because of somebody else’s container', () => {
    let engine: ReturnType<TestProject['engine']>;

    beforeAll(async () => {
      engine = project.engine('spare-1');
      const [repository = '', digest = ''] = (project.lab.images.edge ?? '').split('@');
      await engine.pull(repository, digest);
    });

    const Image = () => project.lab.images.edge ?? '';

    test('on the public port', async () => {
      const ports = {
        ExposedPorts: { '80/tcp': {} },
        HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8000' }] } },
      };
      await engine.createContainer('stranger', { Image: Image(), Cmd: ['sleep', '600'], ...ports });
      await engine.startContainer('stranger');
      before = { ...before, spare: await project.snapshot('spare') };
      await expectRefused(await project.promote('1.1.0', 'spare'), /port 8000 is taken by container stranger/);
      await engine.removeContainer('stranger', { force: true });
    });

    test('with the name of a new one', async () => {
      const planned = await project.run('promote', '1.1.0', '--to', 'prod', '--plan', '--json');
      const [{ name, host }] = planned.json.plan.containers;
      const [edge] = await project.engine(host).listContainers({ labels: { 'lockage.part': 'edge' } });
      await project.engine(host).createContainer(name, { Image: edge?.ImageID ?? '', Cmd: ['true'] });
      before = { ...before, prod: await project.snapshot('prod') };
      await expectRefused(
        await project.promote('1.1.0', 'prod'),
        `a container named ${name} exists and is not of trial`,
      );
      await project.engine(host).removeContainer(name, { force: true });
    });
  });

  describe('a change of the edges', () => {
    const web = { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '10s' }, stop: '4s' };

    test('to a port that a program of the host has', async () => {
      const host = project.lab.host('prod-2');
      const listen = 'require("net").createServer().listen(9100, "0.0.0.0")';
      const background = 'setsid "$@" >/dev/null 2>&1 </dev/null & echo $!';
      const pid = (await host.exec(['sh', '-c', background, 'sh', process.execPath, '-e', listen])).trim();
      await project.configure({ roles: { web, metrics: { ...web, publish: 9100 } } });
      try {
        await expectRefused(await project.promote('1.1.0', 'prod'), 'prod-2: port 9100 is taken by another program');
      } finally {
        await host.exec(['kill', pid]);
        await project.configure({ roles: { web } });
      }
    });

    test('to an image that is no edge', async () => {
      const { edge } = JSON.parse(await readFile(join(project.folder, 'lockage.yaml'), 'utf8'));
      await project.configure({ edge: { image: tagged('build-1.1.0') } });
      try {
        const result = await project.promote('1.1.0', 'prod');
        await expectRefused(
          result,
          'the edge proxies of prod cannot be changed on 2 of 2 hosts',
          /the edge proxy of image/,
        );
      } finally {
        await project.configure({ edge });
      }
    });
  });

  test('and all of it once more succeeds when nothing is in the way, and what was pulled for another try stays', async () => {
    const pulled = await project.engine('prod-1').listImages(`${project.lab.registry}/trial`);
    expect(pulled).toContain(`${project.lab.registry}/trial@${await digestOf('1.5.0')}`);
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    expect(await project.versions('prod')).toEqual(['1.1.0', '1.1.0']);
    expect(await project.engine('prod-1').listImages(`${project.lab.registry}/trial`)).toEqual(
      expect.arrayContaining(pulled),
    );
  });

  test('while somebody else changes the environment, naming who and since when', async () => {
    const words = ['promote', '1.1.0', '--to', 'spare', '--yes', '--json'];
    const first = project.start(words, { LOCKAGE_ACTOR: 'alice' });
    await first.saw(/pull /);
    const second = await project.start(words, { LOCKAGE_ACTOR: 'bob' }).ended;
    expect([second.code, second.json.error.message], second.stderr).toEqual([
      75,
      expect.stringMatching(/^spare is locked by alice since 20\d\d-.*: promote 1\.1\.0$/),
    ]);
    expect((await first.ended).code).toBe(0);
    expect(await project.versions('spare')).toEqual(['1.1.0']);
  });
});
