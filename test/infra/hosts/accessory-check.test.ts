import { describe, expect, test } from 'vitest';
import { programOf, refusedChange } from '../../../infra/hosts/accessory-check.ts';

const image = (Env: string[], Labels: Record<string, string> = {}) => programOf({ Config: { Env, Labels } as never });
const titled = (title: string, version: string) =>
  image([], { 'org.opencontainers.image.title': title, 'org.opencontainers.image.version': version });

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
