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

describe.runIf(labsWork).each(['mariadb', 'redis'] as const)('copies of %s', (kind) => {
  const { accessory, seed, client, change, count } = kinds[kind];
  const image = baseImages[kind];
  let shop: DatabaseShop;

  beforeAll(async () => {
    await ensureBaseImage(kind);
    shop = await DatabaseShop.open();
    const archive = join(shop.folder, '.lockage', `${kind}.tar`);
    await command('docker', 'save', '--output', archive, image);
    await shop.desk.docker('load', '--quiet', '--input', archive);
    await writeFile(join(shop.folder, 'other.seed'), seed);
    await shop.configure((file) => {
      file.setIn(['accessories', 'other'], { image, seed: { file: 'other.seed' }, ...accessory });
      for (const name of 'secrets' in accessory ? accessory.secrets : []) file.setIn(['secrets', name], { env: name });
    });
  }, setupTime);

  afterAll(async () => shop?.remove());

  test('have what was seeded, and see nothing of each other', async () => {
    expect(await shop.succeed('db', 'bake', 'other')).toMatchObject({ outcome: 'baked', kind });
    const { child, forks } = await shop.fork(2, [], ['other']);
    const ask = async (fork: PrintedFork | undefined, statement: string) => {
      if (!fork) throw new Error('there is no fork');
      const [program = '', ...words] = client(fork);
      const end = kind === 'redis' ? ['0'] : [];
      const container = ['run', '--rm', '--network', 'host', '--entrypoint', program, image];
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
