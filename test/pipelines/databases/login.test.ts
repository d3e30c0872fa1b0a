import { expect, test } from 'vitest';
import { bakedLogin } from '../../../pipelines/databases/login.ts';

test('a name that is no secret is as it is configured, whatever has the password', () => {
  const env = { POSTGRES_USER: 'shop', POSTGRES_PASSWORD_FILE: '/run/secrets/DB_PASSWORD' };
  const login = { user: 'shop', database: 'shop' };
  expect(bakedLogin({ name: 'db', env, secrets: ['DB_PASSWORD'] }, 'postgres')).toEqual({ login, names: [] });
});

test.each(['MARIADB', 'MYSQL'])('the names that %s_… takes from secrets have one stand-in', (brand) => {
  const env = { [`${brand}_USER_FILE`]: '/run/secrets/DB_USER' };
  expect(bakedLogin({ name: 'db', env, secrets: ['DB_USER', `${brand}_DATABASE`] }, 'mariadb')).toEqual({
    login: { user: 'app', database: 'app' },
    names: ['DB_USER', `${brand}_DATABASE`],
  });
});
