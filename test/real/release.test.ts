import { appendFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject, type CommandResult } from '../support/pipeline-fixture.ts';
import { TestRegistry } from '../support/registry-fixture.ts';
import { RegistryProxy } from '../support/registry-proxy.ts';

const passphrase = 'canary-passphrase';

describe.runIf(labsWork)('a release', () => {
  let project: TestProject;

  beforeAll(async () => {
    const environments = { prod: { hosts: 1, reach: 'unix' } } as const;
    project = await TestProject.open({ app: 'small-app', environments, layers: false }, { build: { context: '.' } });
    await write('Dockerfile', 'FROM scratch\nCOPY . .\nUSER 1000\nCMD ["/x"]\n');
    await write('.gitignore', 'secrets/\n.env\n');
    await git('init', '--quiet');
    await commit();
  }, setupTime);

  afterAll(async () => project?.remove());

  const write = async (name: string, text: string) => {
    await mkdir(dirname(join(project.folder, name)), { recursive: true });
    await writeFile(join(project.folder, name), text);
  };
  const gitIn = (folder: string, ...words: string[]) =>
    command('git', '-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...words);
  const git = (...words: string[]) => gitIn(project.folder, ...words);
  const commit = async () => {
    await git('add', '--all');
    await git('commit', '--quiet', '--message', 'A change');
    return git('rev-parse', 'HEAD');
  };
  const tagged = (tag: string) => `${project.lab.registry}/trial:${tag}`;

  async function filesOf(image: string): Promise<string[]> {
    const container = await project.docker('create', image);
    const file = join(project.folder, '.lockage/image.tar');
    await project.docker('export', '--output', file, container);
    await project.docker('rm', container);
    const names = (await command('tar', '--list', '--file', file)).split('\n');
    await rm(file);
    return names.filter((name) => !/^(dev|etc|proc|sys|\.dockerenv)(\/|$)/.test(name) && !name.endsWith('/')).sort();
  }

  async function released(version: string): Promise<Record<string, unknown> | undefined> {
    const { releases } = (await project.succeed('releases')).json;
    return releases.find((release: { version: string }) => release.version === version);
  }

  const tracked = async () => (await git('ls-files')).split('\n').sort();

  test('holds what is committed and nothing else, also of a Dockerfile that copies everything', async () => {
    await write('secrets/tls.key', 'canary');
    await write('.env', 'canary');
    const TMPDIR = join(dirname(project.folder), 'temporary');
    await mkdir(TMPDIR);
    const { json, stderr } = await project.start(['release', '1.0.0', '--json'], { TMPDIR }).ended;
    expect([json.outcome, json.release.commit], stderr).toEqual(['released', await git('rev-parse', 'HEAD')]);
    expect(await filesOf(tagged('1.0.0'))).toEqual(await tracked());
    expect(await command('cat', join(project.folder, '.lockage/.gitignore'))).toBe('*');
    expect(await readdir(TMPDIR)).toEqual([]);
  });

  test('of a folder with changes holds the changes, and still nothing that git ignores', async () => {
    await write('new.txt', 'new');
    const refused = await project.run('release', '1.1.0-dirty', '--json');
    expect([refused.code, refused.json.error.details]).toEqual([2, ['?? new.txt']]);
    const { json } = await project.succeed('release', '1.1.0-dirty', '--allow-dirty');
    expect(json.release.dirty).toBe(true);
    expect(await filesOf(tagged('1.1.0-dirty'))).toEqual([...(await tracked()), 'new.txt'].sort());
    await rm(join(project.folder, 'new.txt'));
  });

  test('of a Dockerfile that is not committed is refused by name', async () => {
    await project.configure({ build: { context: '.', dockerfile: '.env' } });
    const made = (await commit()).slice(0, 7);
    const { code, json } = await project.run('release', '1.2.0', '--json');
    expect([code, json.error.message]).toEqual([2, `the Dockerfile .env is not in commit ${made}`]);
    await project.configure({ build: { context: '.' } });
    await commit();
  });

  test.each(['at:build', 'at:push', 'after:push', 'after:releases'])(
    'that was killed (%s) ends clean when it is asked for again, with commit and builder',
    async (point) => {
      const version = `2.0.0-${point.replace(':', '-')}`;
      await appendFile(join(project.folder, 'app/Caddyfile'), `# ${point}\n`);
      const made = await commit();
      await project.killedAt(point, 'release', version);
      expect(await released(version)).toBeUndefined();
      const { json } = await project.succeed('release', version);
      expect(json.outcome).toBe('released');
      const recorded = await released(version);
      expect(recorded).toMatchObject({ commit: made, builder: 'tester' });
      expect(recorded).not.toHaveProperty('adopted');
      expect((await project.succeed('release', version)).json.outcome).toBe('unchanged');
    },
  );

  test('that is recorded while another one is built stays, and so does the other one', async () => {
    await appendFile(join(project.folder, 'app/Caddyfile'), '# at once\n');
    await commit();
    const alice = project.start(['release', '3.0.0', '--json'], { LOCKAGE_ACTOR: 'alice' });
    await alice.saw(/push /);
    alice.kill('SIGSTOP');
    const bob = project.start(['release', '3.1.0', '--image', tagged('1.0.0'), '--json'], { LOCKAGE_ACTOR: 'bob' });
    expect((await bob.ended).code).toBe(0);
    alice.kill('SIGCONT');
    expect((await alice.ended).code).toBe(0);
    expect(await released('3.0.0')).toMatchObject({ builder: 'alice' });
    expect(await released('3.1.0')).toMatchObject({ builder: 'bob' });
  });

  test('whose tag the registry answers with another image is not recorded', async () => {
    const other = join(project.folder, '.lockage/other');
    await mkdir(other);
    await writeFile(join(other, 'Dockerfile'), 'FROM scratch\nLABEL other=yes\nCOPY Dockerfile /\n');
    await project.docker('build', '--quiet', '--tag', tagged('other'), other);
    await project.lab.stopRegistry();
    const behind = await TestRegistry.start();
    const swap = { pushed: 'trial/manifests/4.0.0', answered: 'trial/manifests/other' };
    const proxy = await RegistryProxy.start(project.lab.registry, behind.address, swap);
    try {
      await project.docker('push', '--quiet', tagged('other'));
      const { code, json, stderr } = await project.run('release', '4.0.0', '--json');
      expect([code, json.error.message], stderr).toEqual([
        4,
        `${tagged('4.0.0')} in the registry is not what was pushed`,
      ]);
      const again = await project.run('release', '4.0.0', '--json');
      expect([again.code, again.json.error.message]).toEqual([2, expect.stringContaining('is not a recorded release')]);
    } finally {
      await proxy.stop();
      await behind.stop();
      await project.lab.startRegistry();
    }
    expect(await released('4.0.0')).toBeUndefined();
  });

  test('of each of several operators is recorded, all at once, also the first ones of a project', async () => {
    const base = dirname(project.folder);
    await mkdir(join(base, 'shared'));
    await project.configure({ app: 'others', backend: `file://${join(base, 'shared')}` });
    await commit();
    const names = ['alice', 'bob', 'carol'];
    const clones = names.map((name) => join(base, `clone-${name}`));
    await Promise.all(clones.map((clone) => command('git', 'clone', '--quiet', project.folder, clone)));
    const env = (name: string) => ({ LOCKAGE_ACTOR: name, PULUMI_CONFIG_PASSPHRASE: passphrase });
    const at =
      (round: number) =>
      async (name: string, index: number): Promise<CommandResult> => {
        const words = ['release', `${round}.${index}.0`, '--image', tagged('1.0.0'), '--json'];
        return project.start(words, env(name), undefined, clones[index]).ended;
      };
    for (const round of [1, 2]) {
      const ended = await Promise.all(names.map(at(round)));
      expect(
        ended.map(({ code }) => code),
        ended.map(({ stderr }) => stderr).join('\n'),
      ).toEqual([0, 0, 0]);
    }
    const { json } = await project.start(['releases', '--json'], env('alice'), undefined, clones[0]).ended;
    const versions = json.releases.map(({ version }: { version: string }) => version).sort();
    expect(versions).toEqual(['1.0.0', '1.1.0', '1.2.0', '2.0.0', '2.1.0', '2.2.0']);
  });
});
