import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkAccessory, hiddenVolume, programOf, refusedChange } from '../../../infra/hosts/accessory-check.ts';
import { refuseWithoutData } from '../../../infra/hosts/accessory-move.ts';
import { ownerLabels } from '../../../infra/docker/labels.ts';
import { hostWith } from '../../pipelines/model/values.ts';
import { contextIn } from '../../support/context-fixture.ts';
import { PretendEngine } from '../../support/pretend-engine.ts';

const image = (Env: string[], Labels: Record<string, string> = {}) => programOf({ Config: { Env, Labels } as never });
const titled = (title: string, version: string) =>
  image([], { 'org.opencontainers.image.title': title, 'org.opencontainers.image.version': version });
/** An image of MySQL as those between two long-term versions are. */
const innovation = (version: string) => image(['MYSQL_MAJOR=innovation', `MYSQL_VERSION=${version}`]);

describe('another image over the same data', () => {
  test.each([
    [
      image(['PATH=/bin', 'PG_MAJOR=16', 'PG_VERSION=16.3-1']),
      image(['PG_MAJOR=17']),
      'PostgreSQL 16 to PostgreSQL 17',
    ],
    [image(['PG_MAJOR=17']), image(['PG_MAJOR=16']), 'PostgreSQL 17 to PostgreSQL 16'],
    [image(['PG_VERSION=16.3']), image(['PG_VERSION=16.2']), undefined],
    [image(['MARIADB_VERSION=1:10.11.6+maria~ubu2204']), image(['MARIADB_VERSION=1:10.11.8']), undefined],
    [image(['MARIADB_VERSION=1:10.11.6']), image(['MARIADB_VERSION=1:10.6.18']), 'MariaDB 10.11.6 to MariaDB 10.6.18'],
    [image(['MARIADB_VERSION=1:10.11.6']), image(['MARIADB_VERSION=1:11.4.2']), 'MariaDB 10.11.6 to MariaDB 11.4.2'],
    [image(['MYSQL_MAJOR=8.0']), image(['MYSQL_MAJOR=8.4']), undefined],
    [innovation('9.1.0-1.el9'), image(['MYSQL_MAJOR=8.4', 'MYSQL_VERSION=8.4.3-1.el9']), 'MySQL 9.1.0 to MySQL 8.4'],
    [image(['MYSQL_MAJOR=8.4', 'MYSQL_VERSION=8.4.3-1.el9']), innovation('9.1.0-1.el9'), 'MySQL 8.4 to MySQL 9.1.0'],
    [innovation('9.1.0-1.el9'), innovation('9.2.0-1.el9'), undefined],
    [innovation('9.2.0-1.el9'), innovation('9.1.0-1.el9'), 'MySQL 9.2.0 to MySQL 9.1.0'],
    [innovation(''), image(['MYSQL_MAJOR=8.4']), undefined],
    [image(['MYSQL_MAJOR=8.4']), image(['MARIADB_VERSION=1:8.4.0']), 'MySQL 8.4 to MariaDB 8.4.0'],
    [titled('redis', '7.2.4'), titled('redis', '8.0.1'), 'redis 7.2.4 to redis 8.0.1'],
    [titled('redis', '7.2.4'), titled('redis', '7.4.0'), undefined],
    [
      image([], { 'org.opencontainers.image.version': '22.04' }),
      image([], { 'org.opencontainers.image.version': '24.04' }),
      undefined,
    ],
    [image(['PG_MAJOR=16']), image([]), undefined],
  ])('is judged by what both say of their program (%#)', (before, next, refused) => {
    expect(refusedChange(before, next)).toBe(refused);
  });
});

describe('a volume that an image declares', () => {
  const data = { 'shop-prod-db-data': '/var/lib/postgresql' };

  test.each([
    [{}, ['/data'], undefined],
    [data, ['/var/lib/postgresql'], undefined],
    [{ a: '/var/lib/postgresql/' }, ['/var/lib/postgresql'], undefined],
    [data, ['/var/lib/postgresql-17'], undefined],
    [{ a: '/var/lib/postgresql/data' }, ['/var/lib/postgresql'], undefined],
    [{ ...data, b: '/var/lib/postgresql/data' }, ['/var/lib/postgresql/data'], undefined],
    [data, ['/log', '/var/lib/postgresql/data'], { volume: 'shop-prod-db-data', path: '/var/lib/postgresql/data' }],
    [{ a: '/srv//db/' }, ['/srv/db/x/'], { volume: 'a', path: '/srv/db/x' }],
  ])('is hidden below a configured one where it is not one itself (%#)', (volumes, declared, hidden) => {
    expect(hiddenVolume(volumes, declared)).toEqual(hidden);
  });

  test('is refused for a new accessory, with what to write, and kept for one that has data there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lockage-check-'));
    const pretend = new PretendEngine();
    await pretend.listen(join(folder, 'docker.sock'));
    pretend.declared = { db: ['/var/lib/postgresql/data'] };
    const host = hostWith('prod-1', { url: `unix://${folder}/docker.sock` });
    const inputs = {
      ...{ app: 'shop', environment: 'prod', host, name: 'db', env: {}, memory: 1, pinned: 'db', image: 'db' },
      ...{ configured: 'postgres:16', spec: '1', again: '1', volumes: data },
    };
    const engine = await contextIn(folder).engine(host);
    await expect(checkAccessory(engine, inputs)).rejects.toMatchObject({
      message:
        'prod-1: accessory db: postgres:16 keeps data at /var/lib/postgresql/data, below volume data ' +
        '(/var/lib/postgresql): it would be in a volume without a name',
      hint: 'Write `accessories.db.volumes.data: /var/lib/postgresql/data`.',
    });
    expect(pretend.changes).toEqual([]);
    await engine.createContainer('shop-prod-db', { Image: 'db', Labels: ownerLabels('shop', 'prod', 'accessory') });
    await checkAccessory(engine, inputs);
    pretend.close();
    rmSync(folder, { recursive: true });
  });
});

describe('an accessory that has data', () => {
  let folder: string;
  const [here, there] = [new PretendEngine(), new PretendEngine()];
  const volume = 'shop-prod-db-data';
  const owned = ownerLabels('shop', 'prod', 'accessory');
  const at = (name: string) => hostWith(name, { url: `unix://${folder}/${name}` });
  const engine = (name: string) => contextIn(folder).engine(at(name));
  const inputs = (path = '/data') => ({
    ...{
      app: 'shop',
      environment: 'prod',
      host: at('prod-2'),
      name: 'db',
      env: {},
      memory: 1,
      pinned: 'db',
      image: 'db',
    },
    ...{ configured: 'postgres:16', spec: '1', again: '1', volumes: { [volume]: path } },
  });
  const made = async (name: string) => {
    const Mounts = [{ Type: 'volume', Source: volume, Target: '/data' }] as never;
    const found = await engine(name);
    await found.createContainer('shop-prod-db', { Image: 'db', Labels: owned, HostConfig: { Mounts } });
    await found.startContainer('shop-prod-db');
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lockage-data-'));
    await Promise.all([there.listen(join(folder, 'prod-1')), here.listen(join(folder, 'prod-2'))]);
    here.declared = { db: ['/data'] };
  });
  afterEach(() => {
    for (const each of [here, there]) each.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('is refused while its data is on another host, or it runs there', async () => {
    const check = async () => refuseWithoutData(await engine('prod-2'), inputs(), [await engine('prod-1')]);
    const refused = 'accessory db cannot go from prod-1 to prod-2: it ';
    await check();
    there.named = { [volume]: owned };
    await expect(check()).rejects.toThrow(`${refused}has its data there, in volume ${volume}`);
    here.named = { [volume]: {} };
    await check();
    await made('prod-1');
    await expect(check()).rejects.toThrow(`${refused}runs there with its data`);
    there.setRunning('shop-prod-db', false);
    await check();
  });

  test('is refused where its data would be at a place for which no volume is configured', async () => {
    await made('prod-2');
    await checkAccessory(await engine('prod-2'), inputs());
    await expect(checkAccessory(await engine('prod-2'), inputs('/srv'))).rejects.toThrow(
      `prod-2: accessory db: its data is at /data, in volume ${volume}, and no volume is configured for that place`,
    );
  });
});
