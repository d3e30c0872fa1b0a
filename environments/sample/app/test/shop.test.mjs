/**
 * Tests that change data, each on a pristine copy of the shop's database, all at the same time:
 *
 *   lockage test --parallel 8 --per test -- node --test app/test/
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import postgres from 'postgres';

const { withDatabase } = await import(process.env.LOCKAGE_TEST_HELPER ?? 'lockage/testing');
const seeded = 100;

/** Runs a test with a connection to a database that nobody had before. */
const withShop = (work) =>
  withDatabase(async ({ url }) => {
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    try {
      await work(sql);
    } finally {
      await sql.end({ timeout: 1 });
    }
  });
const jobs = async (sql) => (await sql`select count(*)::int as number from jobs`)[0].number;

describe('the shop', { concurrency: 64 }, () => {
  test('counts a visit', () =>
    withShop(async (sql) => {
      await sql`update counters set value = value + 1 where name = 'visits'`;
      assert.equal((await sql`select value from counters where name = 'visits'`)[0].value, '1');
    }));

  test('has nothing to do once its jobs are deleted', () =>
    withShop(async (sql) => {
      await sql`delete from jobs`;
      assert.equal(await jobs(sql), 0);
    }));

  test('can do without a table', () =>
    withShop(async (sql) => {
      await sql`drop table counters`;
      await assert.rejects(sql`select * from counters`, { code: '42P01' });
    }));

  // Each of these would break all others, if they had a database in common.
  for (let number = 1; number <= 61; number += 1) {
    test(`takes job ${number} alone`, () =>
      withShop(async (sql) => {
        assert.equal(await jobs(sql), seeded);
        await sql`insert into jobs (made_by) values (${`test ${number}`})`;
        await sql`delete from jobs where made_by like 'seed %' and id <= ${number}`;
        assert.equal(await jobs(sql), seeded + 1 - number);
      }));
  }
});
