import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SecretKey } from '../../infra/context/secret-key.ts';
import type { ContainerDetails } from '../../infra/docker/api/types.ts';
import { readSecretValues } from '../../infra/pulumi/secret-values.ts';
import { filesInArchive, filesOnHost, formsOf } from '../support/canary.ts';
import { labsWork, setupTime, TestProject, type CommandResult } from '../support/pipeline-fixture.ts';

const canaries = { TOKEN: 'canary-token-of-prod', POSTGRES_PASSWORD: 'canary-password-of-prod' };

// One story: each test goes on where the one before ended.
describe.runIf(labsWork)('prod on a laptop', () => {
  let project: TestProject;
  /** a folder of somebody who has the bundle, and nothing else */
  let away: string;
  /** where prod-here is visited, and what stands beside it: something else of this computer may have prod's port */
  let port = 0;
  let otherPort = 0;

  beforeAll(async () => {
    const environments = {
      prod: { hosts: 2, reach: 'ssh' },
      laptop: { hosts: 1, reach: 'unix' },
      other: { hosts: 1, reach: 'unix' },
    } as const;
    project = await TestProject.open({ environments, seed: ['edge', 'node', 'postgres'] });
    for (const name of ['laptop', 'other']) await rm(join(project.folder, 'environments', `${name}.yaml`));
    const roles = {
      web: {
        ...{ port: 8080, publish: 8000, health: { path: '/healthz', timeout: '10s' }, stop: '4s' },
        ...{ secrets: ['TOKEN'], count: 2, limits: { memory: '96MiB', pids: 64 }, env: { GREETING: 'as recorded' } },
      },
    };
    const db = {
      image: `${project.lab.registry}/lockage-base/postgres`,
      ...{ port: 5432, secrets: ['POSTGRES_PASSWORD'], volumes: { data: '/var/lib/postgresql/data' } },
      health: { command: ['pg_isready', '-U', 'postgres'] },
    };
    const secrets = { TOKEN: { env: 'PROD_TOKEN' }, POSTGRES_PASSWORD: { env: 'PROD_PASSWORD' } };
    const migration = { command: ['node', 'web.mjs', 'migrate'] };
    await project.configure({ pipeline: ['prod'], roles, accessories: { db }, secrets, migration });
    project.env['PROD_TOKEN'] = canaries.TOKEN;
    project.env['PROD_PASSWORD'] = canaries.POSTGRES_PASSWORD;
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    await project.succeed('promote', '1.1.0', '--to', 'prod');
    await sql('prod', 'CREATE TABLE orders (id int)');
    // What is configured today is none of a reproduction's business, and neither are the values of prod.
    await project.configure({ roles: { web: { ...roles.web, count: 3, env: { GREETING: 'of today' } } } });
    for (const name of ['PROD_TOKEN', 'PROD_PASSWORD']) delete project.env[name];
    project.env['DOCKER_HOST'] = project.lab.host('laptop-1').dockerHost;
    away = join(project.folder, '..', 'away');
    await mkdir(away);
  }, setupTime);

  afterAll(async () => project?.remove());

  const sql = async (environment: string, text: string) => {
    const words = ['accessory', 'exec', environment, 'db', '--', 'psql', '-U', 'postgres', '-AtXqc', text];
    const { code, stdout, stderr } = await project.run(...words);
    expect(code, stderr).toBe(0);
    return stdout.trim();
  };
  /** Those of one version: a standby runs beside what serves. */
  const releaseContainers = async (host: string, environment: string, version = '1.1.0') => {
    const engine = project.engine(host);
    const labels = { 'lockage.environment': environment, 'lockage.part': 'release', 'lockage.release': version };
    const found = await engine.listContainers({ labels });
    const details = await Promise.all(found.map(({ Id }) => engine.inspectContainer(Id)));
    return details.filter((each) => each !== undefined);
  };
  const answer = async (host: string, at: number) => {
    const url = `http://${project.lab.host(host).address}:${at}/`;
    const [found] = await project.answers('prod', [url]);
    return found;
  };
  const succeeded = (result: CommandResult) => {
    expect(result.code, result.stderr).toBe(0);
    return result.json;
  };
  const inAway = (...words: string[]) => {
    const env = { DOCKER_HOST: project.lab.host('other-1').dockerHost };
    return project.start(words, env, undefined, away).ended;
  };
  const what = (json: any): string[] => json.differences.map((row: any) => `${row.what} ${row.of ?? ''}`.trim());
  const forms = Object.values(canaries).flatMap(formsOf);
  const onHost = async (name: string) => {
    const { DockerRootDir: root } = await project.engine(name).info();
    return filesOnHost(project.lab.host(name), root, forms);
  };
  /** The values of secrets that a state folder holds for a stack, decrypted. */
  const valuesInState = async (folder: string, stack: string): Promise<string[]> => {
    const passphrase = (await readFile(join(folder, 'passphrase'), 'utf8')).trimEnd();
    const settings = { backend: `file://${folder}/state`, passphrase, folder: join(folder, 'pulumi') };
    const found = await readSecretValues(settings, stack, new SecretKey('trial', passphrase));
    return found.map(({ value }) => value);
  };
  /** The state of prod: every file of the project but what is reproduced in it. */
  const stateOfProd = () =>
    filesIn(join(project.folder, '.lockage')).filter(([file]) => !file.includes('/reproductions/'));

  test('a plan shows what would run, and leaves nothing', async () => {
    const before = await project.snapshot('laptop');
    const { json } = await project.succeed('reproduce', 'prod', '--plan');
    expect(json).toMatchObject({ outcome: 'planned', original: { revision: 2 } });
    expect(what(json)).toEqual(expect.arrayContaining(['hosts', 'containers web', 'secret TOKEN', 'data db']));
    expect([await project.snapshot('laptop'), readdirSync(join(project.folder, '.lockage/reproductions'))]).toEqual([
      before,
      [],
    ]);
    const unknown = await project.run('reproduce', 'prot', '--json');
    expect([unknown.code, unknown.json.error.message]).toEqual([2, expect.stringContaining('did you mean prod')]);
  });

  test('what runs in prod runs here as it is recorded, with its own secrets and data', async () => {
    const [state, hosts] = [stateOfProd(), await project.snapshot('prod')];
    const { json } = await project.succeed('reproduce', 'prod', '--yes');
    expect(json).toMatchObject({ outcome: 'promoted', environment: 'prod-here' });
    port = json.ports[8000];
    const [original] = await releaseContainers('prod-1', 'prod');
    const here = await releaseContainers('laptop-1', 'prod-here');
    expect(here.map(({ Image }) => Image)).toEqual([original?.Image]);
    const settings = ({ Config, HostConfig }: ContainerDetails) => ({
      ...{ command: Config.Cmd, user: Config.User, labels: Config.Labels['lockage.digest'] },
      ...{ memory: HostConfig.Memory, pids: HostConfig.PidsLimit, readOnly: HostConfig.ReadonlyRootfs },
      ...{ dropped: HostConfig.CapDrop, security: HostConfig.SecurityOpt, limits: HostConfig.Ulimits },
      env: Config.Env.filter((line) => !/^LOCKAGE_(ENVIRONMENT|HOST)=/.test(line)).sort(),
    });
    expect(here.map(settings)).toEqual(original ? [settings(original)] : []);
    const [visited, ofProd] = [await answer('laptop-1', port), (await project.answers('prod'))[0]];
    expect(visited).toMatchObject({ version: '1.1.0', greeting: 'as recorded' });
    expect([visited?.secretHash === ofProd?.secretHash, visited?.secretHash === sha256('')]).toEqual([false, false]);
    expect(await sql('prod-here', "SELECT count(*) FROM pg_tables WHERE tablename = 'orders'")).toBe('0');
    expect(what(json)).toEqual(
      expect.arrayContaining(['containers web', 'secret TOKEN', 'variable LOCKAGE_ENVIRONMENT']),
    );
    expect([stateOfProd(), await project.snapshot('prod')]).toEqual([state, hosts]);
  });

  test('no secret of prod is anywhere here', async () => {
    const engine = project.engine('laptop-1');
    const containers = await engine.listContainers({ all: true });
    const inspected = await Promise.all(containers.map(({ Id }) => engine.inspectContainer(Id)));
    const shown = await project.run('exec', '-e', 'prod-here', '--', 'sh', '-c', 'cat /run/secrets/*');
    const files = filesIn(join(project.folder, '.lockage/reproductions'), 'text').map(([, text]) => text);
    const token = await readFile(join(project.folder, '.lockage/reproductions/prod-here/secrets/TOKEN'), 'utf8');
    // It has one of its own, which the terminal masks.
    expect([token.trim().length > 20, shown.stdout.includes(token.trim())]).toEqual([true, false]);
    const all = [JSON.stringify(inspected), shown.stdout, ...files].join('\n');
    expect(forms.filter((form) => all.includes(form))).toEqual([]);
    // Its state is encrypted: what that holds are its own values, and the search would find those of prod.
    const folder = join(project.folder, '.lockage/reproductions/prod-here');
    expect(await valuesInState(folder, 'prod-here')).toEqual([token.trim()]);
    expect(await valuesInState(folder, 'prod-here-foundation')).toEqual([]);
    expect(await valuesInState(join(project.folder, '.lockage'), 'prod')).toEqual([canaries.TOKEN]);
    // Nothing that its engine keeps has one; on a host of prod they are where containers find them.
    expect(await onHost('laptop-1')).toEqual([]);
    const ofProd = await onHost('prod-1');
    expect(ofProd.length).toBeGreaterThan(0);
    expect(ofProd.filter((file) => !/\.secrets\/_data\/(TOKEN|POSTGRES_PASSWORD)$/.test(file))).toEqual([]);
  });

  test('the same again changes nothing; another revision stands beside it, with other ports and values that are given', async () => {
    const again = succeeded(await project.run('reproduce', 'prod', '--yes', '--json'));
    expect(again).toMatchObject({ outcome: 'unchanged', ports: { 8000: port } });
    await writeFile(join(project.folder, 'mine.env'), 'TOKEN=a token of mine\nPOSTGRES_PASSWORD="of mine"\n');
    const words = ['reproduce', 'prod@1.0.0', '--as', 'before', '--scale', 'web=2', '--secrets', 'mine.env'];
    const json = succeeded(await project.run(...words, '--yes', '--json'));
    expect(json).toMatchObject({ original: { revision: 1 } });
    otherPort = json.ports[8000];
    expect(otherPort).toBeGreaterThan(port);
    expect(json.secrets.map((secret: any) => [secret.name, secret.from])).toEqual([
      ['POSTGRES_PASSWORD', 'file'],
      ['TOKEN', 'file'],
    ]);
    expect(await answer('laptop-1', otherPort)).toMatchObject({
      version: '1.0.0',
      secretHash: sha256('a token of mine'),
    });
    expect(await answer('laptop-1', port)).toMatchObject({ version: '1.1.0' });
    expect(await releaseContainers('laptop-1', 'before', '1.0.0')).toHaveLength(2);
  });

  test('it is an environment like any other: commands find it by its name', async () => {
    const status = succeeded(await project.run('status', '--json'));
    expect(status.environments.map(({ name, version }: any) => [name, version])).toEqual([
      ['prod', '1.1.0'],
      ['before', '1.0.0'],
      ['prod-here', '1.1.0'],
    ]);
    succeeded(await project.run('promote', '1.0.0', '--to', 'prod-here', '--yes', '--json'));
    expect(await answer('laptop-1', port)).toMatchObject({ version: '1.0.0' });
    succeeded(await project.run('rollback', 'prod-here', '--yes', '--json'));
    expect(await answer('laptop-1', port)).toMatchObject({ version: '1.1.0' });
    expect((await project.run('logs', '-e', 'prod-here')).stdout).toContain('trial 1.1.0');
    expect((await project.run('drift', 'prod-here')).code).toBe(0);
    const diff = await project.run('diff', 'prod', 'prod-here', '--json');
    expect([diff.code, diff.json.a.digest]).toEqual([5, diff.json.b.digest]);
    succeeded(await project.run('destroy', 'before', '--volumes', '--yes', '--json'));
    expect(readdirSync(join(project.folder, '.lockage/reproductions'))).toEqual(['prod-here']);
  });

  test('a bundle has the same bytes each time, and no secret', async () => {
    const first = succeeded(await project.run('bundle', 'prod', '-o', 'prod.lockage', '--json'));
    const second = succeeded(await project.run('bundle', 'prod@2', '-o', 'again.lockage', '--json'));
    const [one, other] = ['prod.lockage', 'again.lockage'].map((name) => readFileSync(join(project.folder, name)));
    expect([first.digest, other && one?.equals(other)]).toEqual([second.digest, true]);
    const bundle = join(project.folder, 'prod.lockage');
    expect(await filesInArchive(bundle, forms)).toEqual([]);
    // The search looks into layers: the release says its version in one of its own.
    expect(await filesInArchive(bundle, ['{"version":"1.1.0"}'])).not.toEqual([]);
  });

  test('its configuration is gone and its hosts are down, and it runs here still', async () => {
    await project.configure({ pipeline: ['dev'] });
    await rm(join(project.folder, 'environments/prod.yaml'));
    const targets = [project.lab.host('laptop-1').dockerHost];
    await writeFile(join(project.folder, 'environments/dev.yaml'), JSON.stringify({ targets }));
    await Promise.all(project.hosts('prod').map((host) => host.stopDocker({ crash: true })));
    const json = succeeded(await project.run('reproduce', 'prod', '--as', 'still', '--yes', '--json'));
    expect(json.differences.find((row: any) => row.what === 'kernel').original).toBe('not known');
    expect(await answer('laptop-1', json.ports[8000])).toMatchObject({ version: '1.1.0', greeting: 'as recorded' });
  });

  test('from a bundle it runs without registry, project and state, with the same digests', async () => {
    await project.lab.stopRegistry();
    await copyFile(join(project.folder, 'prod.lockage'), join(away, 'prod.lockage'));
    const json = succeeded(await inAway('reproduce', '--from', 'prod.lockage', '--yes', '--json'));
    expect(json).toMatchObject({ outcome: 'promoted', environment: 'prod-here', original: { revision: 2 } });
    const [original] = await releaseContainers('laptop-1', 'prod-here');
    const [loaded] = await releaseContainers('other-1', 'prod-here');
    const digestIn = (found?: ContainerDetails) => found?.Config.Labels['lockage.digest'];
    expect([loaded?.Image, digestIn(loaded)]).toEqual([original?.Image, digestIn(original)]);
    expect(await answer('other-1', json.ports[8000])).toMatchObject({ version: '1.1.0', greeting: 'as recorded' });
    const status = succeeded(await inAway('status', '--json'));
    expect(status.environments.map(({ name, version }: any) => [name, version])).toEqual([['prod-here', '1.1.0']]);
    const files = filesIn(join(away, '.lockage'), 'text').map(([, text]) => text);
    expect(forms.filter((form) => files.some((text) => text.includes(form)))).toEqual([]);
    expect(await valuesInState(join(away, '.lockage/reproductions/prod-here'), 'prod-here')).toEqual([
      expect.stringMatching(/^[0-9a-f]{48}$/),
    ]);
    expect(await onHost('other-1')).toEqual([]);
  });

  test('a bundle that was cut or changed is refused before anything changes', async () => {
    const whole = await readFile(join(away, 'prod.lockage'));
    const before = await project.snapshot('other');
    const middle = Buffer.from(whole);
    middle[Math.floor(whole.length / 2)] = (middle[Math.floor(whole.length / 2)] ?? 0) ^ 1;
    for (const [name, bytes] of [
      ['cut.lockage', whole.subarray(0, whole.length - 4096)],
      ['changed.lockage', middle],
    ] as const) {
      await writeFile(join(away, name), bytes);
      const { code, json } = await inAway('reproduce', '--from', name, '--as', 'never', '--yes', '--json');
      expect([code, json.error.message]).toEqual([2, expect.stringContaining(`${name} is not as it was written`)]);
    }
    expect(readdirSync(join(away, '.lockage/reproductions'))).toEqual(['prod-here']);
    expect(await project.snapshot('other')).toEqual(before);
  });

  test('images that only the engine here has are bundled from it', async () => {
    const json = succeeded(await project.run('bundle', 'prod', '-o', 'from-engine.lockage', '--json'));
    expect(json.outcome).toBe('bundled');
    await copyFile(join(project.folder, 'from-engine.lockage'), join(away, 'from-engine.lockage'));
    succeeded(await inAway('destroy', 'prod-here', '--volumes', '--yes', '--json'));
    await removeImages('other-1');
    const made = succeeded(await inAway('reproduce', '--from', 'from-engine.lockage', '--yes', '--json'));
    expect(made.bytesMoved.here).toBeGreaterThan(0);
    const [original] = await releaseContainers('laptop-1', 'prod-here');
    expect((await releaseContainers('other-1', 'prod-here')).map(({ Image }) => Image)).toEqual([original?.Image]);
  });

  const removeImages = async (host: string) => {
    const engine = project.engine(host);
    for (const { names } of await engine.namedImages()) {
      for (const name of names.filter((each) => each.includes('/trial'))) await engine.removeImage(name);
    }
  };
});

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');

/** All files below a folder, with the hashes of their contents, or these. */
function filesIn(folder: string, as: 'hash' | 'text' = 'hash'): [string, string][] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.map((name) => join(folder, name)).filter((file) => statSync(file).isFile());
  return files.map((file) => [file, as === 'hash' ? sha256(readFileSync(file)) : readFileSync(file, 'utf8')]);
}
