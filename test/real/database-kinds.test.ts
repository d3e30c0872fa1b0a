import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { baseImages, ensureBaseImage } from '../../scripts/setup/images/base-images.ts';
import { DatabaseShop, type PrintedFork } from '../support/databases-fixture.ts';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime } from '../support/pipeline-fixture.ts';

const kinds = {
  mariadb: {
    accessory: {
      port: 3306,
      env: {
        MARIADB_DATABASE: 'shop',
        MARIADB_USER: 'shop',
        MARIADB_PASSWORD_FILE: '/run/secrets/SHOP_PASSWORD',
        MARIADB_ROOT_PASSWORD_FILE: '/run/secrets/ROOT_PASSWORD',
      },
      secrets: ['SHOP_PASSWORD', 'ROOT_PASSWORD'],
      migrated: false,
    },
    seed: 'create table notes (number int);\ninsert into notes values (1), (2), (3);\n',
    client: ({ port, password }: PrintedFork) => {
      const to = ['-h', '127.0.0.1', '-P', String(port), '-u', 'shop', `-p${password}`, 'shop'];
      return ['mariadb', '--no-defaults', '--skip-column-names', ...to, '-e'];
    },
    change: 'delete from notes where number > 1',
    count: 'select count(*) from notes',
  },
  redis: {
    accessory: { port: 6379 },
    seed: 'rpush notes 1 2 3\n',
    client: ({ url }: PrintedFork) => ['redis-cli', '--no-auth-warning', '-u', url, 'eval'],
    change: 'return redis.call("ltrim", "notes", 0, 0)',
    count: 'return redis.call("llen", "notes")',
  },
} as const;

const names = ['mariadb', 'redis'] as const;

describe.runIf(labsWork)('copies of other databases', () => {
  let shop: DatabaseShop;

  beforeAll(async () => {
    await Promise.all(names.map((kind) => ensureBaseImage(kind)));
    shop = await DatabaseShop.open();
    const archive = join(shop.folder, '.lockage', 'images.tar');
    await command('docker', 'save', '--output', archive, ...names.map((kind) => baseImages[kind]));
    await shop.desk.docker('load', '--quiet', '--input', archive);
    for (const kind of names) await writeFile(join(shop.folder, `${kind}.seed`), kinds[kind].seed);
    await shop.configure((file) => {
      for (const kind of names) {
        const { accessory } = kinds[kind];
        const seed = { file: `${kind}.seed` };
        file.setIn(['accessories', kind], { image: baseImages[kind], seed, ...accessory });
        for (const name of 'secrets' in accessory ? accessory.secrets : [])
          file.setIn(['secrets', name], { env: name });
      }
    });
  }, setupTime);

  afterAll(async () => shop?.remove());

  test.each(names)('%s: have what was seeded, and see nothing of each other', async (kind) => {
    const { client, change, count } = kinds[kind];
    expect(await shop.succeed('db', 'bake', kind)).toMatchObject({ outcome: 'baked', kind });
    const { child, forks } = await shop.fork(2, [], [kind]);
    const ask = async (fork: PrintedFork | undefined, statement: string) => {
      if (!fork) throw new Error('there is no fork');
      const [program = '', ...words] = client(fork);
      const end = kind === 'redis' ? ['0'] : [];
      const container = ['run', '--rm', '--network', 'host', '--entrypoint', program, baseImages[kind]];
      return (await shop.desk.docker(...container, ...words, statement, ...end)).trim();
    };
    const [one, two] = forks;
    await ask(one, change);
    expect([await ask(one, count), await ask(two, count)]).toEqual(['1', '3']);
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(await shop.left()).toEqual([]);
  });
});
