import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const commandTime = 180_000;

// Evidence on a real registry: docker-registry 2.8, which has no API for referrers, so that it lies under tags.
describe.runIf(labsWork)('evidence', () => {
  let project: TestProject;
  let keys: string;

  beforeAll(async () => {
    const environments = { qa: { hosts: 1, reach: 'unix' }, prod: { hosts: 1, reach: 'unix' } } as const;
    project = await TestProject.open({ environments, app: 'small-app' });
    keys = join(project.folder, '..', 'keys');
    project.env['LOCKAGE_KEYS'] = keys;
    const [ci, anna] = await Promise.all([made('ci'), made('anna', 'p256')]);
    await project.configure({
      build: { context: 'app', args: { BASE: `${project.lab.registry}/lockage-base/edge`, HEALTHY_IN: '' } },
      keys: {
        ci: { public: ci, signs: ['provenance', 'sbom', 'release', 'verification', 'promotion'] },
        anna: { public: anna, signs: ['approval'], environments: ['prod'] },
      },
    });
    await project.configureEnvironment('prod', {
      evidence: ['provenance', 'sbom', 'release', 'verification/qa'],
      approvals: { count: 1, not: ['builder', 'promoter'] },
    });
    project.env['LOCKAGE_KEY'] = 'ci';
    await git('init', '--quiet');
    await git('add', '--all');
    await git('commit', '--quiet', '--message', 'A start');
    await project.succeed('release', '1.0.0');
  }, setupTime);

  afterAll(() => project?.remove());

  const git = (...words: string[]) =>
    command('git', '-C', project.folder, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...words);

  async function made(name: string, type = 'ed25519'): Promise<string> {
    const { json } = await project.succeed('key', 'new', name, '--type', type);
    return json.pem;
  }

  const registry = (path: string, init?: RequestInit) => fetch(`http://${project.lab.registry}/v2/trial/${path}`, init);

  async function why(version = '1.0.0'): Promise<Record<string, boolean>> {
    const { json } = await project.run('why', version, '--to', 'prod', '--json');
    const gates: { gate: string; from?: string; met: boolean }[] = json.gates;
    return Object.fromEntries(gates.map(({ gate, from, met }) => [from ? `${gate} ${from}` : gate, met]));
  }

  async function approve(): Promise<void> {
    project.env['LOCKAGE_KEY'] = 'anna';
    await project.succeed('approve', '1.0.0', '--to', 'prod').finally(() => (project.env['LOCKAGE_KEY'] = 'ci'));
  }

  test(
    'is made on the way, asked for, and lets a release in once it is whole',
    async () => {
      await project.succeed('promote', '1.0.0', '--to', 'qa');
      const refused = await project.promote('1.0.0', 'prod');
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringContaining('0 approvals, and 1 of those who may'),
      ]);
      expect(await why()).toMatchObject({
        'evidence provenance': true,
        'evidence sbom': true,
        'evidence release': true,
        'evidence verification/qa': true,
        approvals: false,
      });
      await approve();
      expect(await why()).toMatchObject({ approvals: true });
    },
    commandTime,
  );

  test(
    'lies beside the image, where others find it as the specification says',
    async () => {
      const { json } = await project.succeed('releases');
      const { digest } = json.releases[0];
      const index: any = await (
        await registry(`manifests/${digest.replace(':', '-')}`, {
          headers: { Accept: 'application/vnd.oci.image.index.v1+json' },
        })
      ).json();
      const found = index.manifests.map((each: any) => [
        each.artifactType,
        each.annotations['dev.sigstore.bundle.predicateType'],
      ]);
      const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
      expect(found).toEqual(
        expect.arrayContaining([
          [type, 'https://slsa.dev/provenance/v1'],
          [type, 'urn:lockage:release:v1'],
          [type, 'urn:lockage:verification:v1'],
          [type, 'urn:lockage:approval:v1'],
        ]),
      );
    },
    commandTime,
  );

  test(
    'counts from the record alone, and from the registry alone',
    async () => {
      const { json } = await project.succeed('releases');
      const { digest } = json.releases[0];
      const tag = `manifests/${digest.replace(':', '-')}`;
      const accept = { Accept: 'application/vnd.oci.image.index.v1+json' };
      const index = await (await registry(tag, { headers: accept })).text();
      const without = JSON.stringify({ ...JSON.parse(index), manifests: [] });
      const put = (body: string) => registry(tag, { method: 'PUT', body, headers: { 'Content-Type': accept.Accept } });
      // Somebody with the registry's login takes the list away.
      expect((await put(without)).status).toBe(201);
      expect(Object.values(await why()).every(Boolean)).toBe(true);
      expect((await put(index)).status).toBe(201);
      const stacks = join(project.folder, '.lockage/state/.pulumi/stacks/trial');
      const records = (await readdir(stacks)).filter((name) => name.startsWith('evidence-'));
      expect(records.length).toBeGreaterThan(0);
      const kept = await Promise.all(records.map((name) => readFile(join(stacks, name))));
      expect(kept.join('')).not.toContain('PRIVATE KEY');
      for (const name of records) await rm(join(stacks, name));
      expect(Object.values(await why()).every(Boolean)).toBe(true);
      // The record is whole again with the next statement.
      await project.succeed('promote', '1.0.0', '--to', 'prod');
      expect(await project.versions('prod')).toEqual(['1.0.0']);
    },
    commandTime,
  );

  test(
    'of a release does not make another image that one',
    async () => {
      await project.succeed('release', '1.1.0');
      await project.succeed('promote', '1.1.0', '--to', 'qa');
      const { json } = await project.succeed('releases');
      const [old, next] = ['1.0.0', '1.1.0'].map((version) =>
        json.releases.find((each: any) => each.version === version),
      );
      const accept = { Accept: 'application/vnd.oci.image.index.v1+json' };
      const theirs = await (await registry(`manifests/${old.digest.replace(':', '-')}`, { headers: accept })).text();
      const tag = `manifests/${next.digest.replace(':', '-')}`;
      const put = await registry(tag, { method: 'PUT', body: theirs, headers: { 'Content-Type': accept.Accept } });
      expect(put.status).toBe(201);
      expect(await why('1.1.0')).toMatchObject({ approvals: false });
    },
    commandTime,
  );
});
