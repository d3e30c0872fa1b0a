import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject, type CommandResult } from '../support/pipeline-fixture.ts';

// One story: each test goes on where the one before ended. Prod and what is reproduced of it are on one engine.
describe.runIf(labsWork)('data of a reproduction', () => {
  let project: TestProject;
  let postgres: string;

  beforeAll(async () => {
    const environments = { prod: { hosts: 1, reach: 'unix' } } as const;
    project = await TestProject.open({ app: 'small-app', environments, seed: ['edge', 'postgres'] });
    postgres = `${project.lab.registry}/lockage-base/postgres`;
    project.env['PASSWORD_OF_PROD'] = 'canary-password-of-prod';
    project.env['DOCKER_HOST'] = project.lab.host('prod-1').dockerHost;
    await project.configure({
      secrets: { POSTGRES_PASSWORD: { env: 'PASSWORD_OF_PROD' } },
      accessories: { db: db('early') },
    });
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    await sql('prod', 'CREATE TABLE orders (id int); INSERT INTO orders VALUES (1), (2)');
    succeeded(await project.run('accessory', 'backup', 'prod', 'db', dump(), '--no-test', '--json'));
    await project.configure({ accessories: { db: db('late') } });
    await project.succeed('promote', '1.1.0', '--to', 'prod');
  }, setupTime);

  afterAll(async () => project?.remove());

  const db = (mark: string) => ({
    ...{ image: postgres, port: 5432, secrets: ['POSTGRES_PASSWORD'], env: { MARK: mark } },
    volumes: { data: '/var/lib/postgresql/data' },
    health: { command: ['pg_isready', '-U', 'postgres'] },
  });
  const dump = () => join(project.folder, '../prod.dump');
  const succeeded = ({ code, stderr, json }: CommandResult) => {
    expect(code, stderr).toBe(0);
    return json;
  };
  const sql = async (environment: string, text: string) => {
    const words = ['accessory', 'exec', environment, 'db', '--', 'psql', '-U', 'postgres', '-AtXqc', text];
    const { code, stdout, stderr } = await project.run(...words);
    expect(code, stderr).toBe(0);
    return stdout.trim();
  };
  const count = (environment: string) => sql(environment, 'SELECT count(*) FROM orders');
  const reproduce = async (...words: string[]) =>
    succeeded(await project.run('reproduce', ...words, '--yes', '--json'));
  const docker = (...words: string[]) => command('docker', '-H', project.lab.host('prod-1').dockerHost, ...words);

  test('what is neither a file nor an image, or of no accessory, is refused before anything is there', async () => {
    const before = await project.snapshot('prod');
    for (const [data, message] of [
      ['No-Such.dump', 'there is no file No-Such.dump, and it is no image either'],
      [`dbb=${dump()}`, 'prod has no accessory dbb with data'],
      [project.folder, 'is no file'],
    ] as const) {
      const { code, json } = await project.run('reproduce', 'prod', '--data', data, '--yes', '--json');
      expect([code, json.error.message]).toEqual([2, expect.stringContaining(message)]);
    }
    expect(await project.snapshot('prod')).toEqual(before);
  });

  test('are those of a dump, before the release runs; and an older revision stands on what it stood on', async () => {
    const json = await reproduce('prod@1', '--as', 'early', '--data', dump());
    const rows = json.differences.map(({ what, of, here }: any) => [what, of, here]);
    expect(rows).toContainEqual(['data', 'db', expect.stringMatching(/^of .*prod\.dump \([0-9a-f]{12}\)$/)]);
    expect(rows.map(([what]: string[]) => what)).not.toContain('accessories, edge');
    expect(await count('early')).toBe('2');
    const env = JSON.parse(await docker('inspect', 'trial-early-db', '--format', '{{json .Config.Env}}')) as string[];
    expect(env).toContain('MARK=early');
  });

  test('are not brought in again by the same command, and not replaced by another one', async () => {
    await sql('early', 'INSERT INTO orders VALUES (3)');
    expect((await reproduce('prod@1', '--as', 'early', '--data', dump())).outcome).toBe('unchanged');
    expect(await count('early')).toBe('3');
    const other = join(project.folder, '../other.dump');
    await writeFile(other, 'another');
    const { code, json } = await project.run(
      'reproduce',
      'prod@1',
      '--as',
      'early',
      '--data',
      other,
      '--yes',
      '--json',
    );
    expect([code, json.error.message]).toEqual([2, expect.stringMatching(/^db of early has the data of .* already$/)]);
  });

  test('are those of a baked image, and what is written to them outlives the container', async () => {
    const rows = 'CREATE TABLE orders (id int); INSERT INTO orders VALUES (1), (2), (3), (4), (5);';
    await writeFile(join(project.folder, 'seed.sql'), rows);
    await project.configure({ accessories: { db: { ...db('late'), seed: { file: 'seed.sql' } } } });
    const { image, digest } = (await project.succeed('db', 'bake', '--env', 'prod')).json;

    const json = await reproduce('prod', '--as', 'baked', '--data', `db=${image}`);
    expect(json.differences).toContainEqual(
      expect.objectContaining({
        what: 'data',
        of: 'db',
        here: expect.stringMatching(new RegExp(`^of image .*@${digest}$`)),
      }),
    );
    expect(await count('baked')).toBe('5');
    await sql('baked', 'INSERT INTO orders VALUES (6)');
    await docker('rm', '--force', 'trial-baked-db');
    succeeded(await project.run('heal', 'baked', '--yes', '--json'));
    expect(await count('baked')).toBe('6');
    succeeded(await project.run('destroy', 'baked', '--volumes', '--yes', '--json'));
    const left = await docker('volume', 'ls', '--quiet', '--filter', 'label=lockage.environment=baked');
    expect(left.trim()).toBe('');
  });
});
