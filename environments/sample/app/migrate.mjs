/**
 * Brings the database to what this release needs. The release before it keeps serving meanwhile and may come back, so
 * a migration only adds: what is no longer used goes away in a later release.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from './database.mjs';

const migrations = [
  {
    number: 1,
    name: 'counters',
    up: (sql) => sql`
      create table counters (name text primary key, value bigint not null default 0)`,
  },
  { number: 2, name: 'visits start at zero', up: (sql) => sql`insert into counters (name) values ('visits')` },
  {
    number: 3,
    name: 'jobs',
    up: (sql) => sql`
      create table jobs (
        id bigint generated always as identity primary key,
        made_at timestamptz not null default now(),
        made_by text not null,
        done_at timestamptz,
        done_by text
      )`,
  },
  { number: 4, name: 'waiting jobs', up: (sql) => sql`create index waiting_jobs on jobs (id) where done_at is null` },
];

const sql = openDatabase({ connections: 1 });
try {
  await databaseIsThere();
  // Everything or nothing, and one at a time: the lock is released with the transaction, also when this process dies.
  await sql.begin(async (transaction) => {
    await transaction`set local lock_timeout = '60s'`;
    await transaction`select pg_advisory_xact_lock(hashtext('shop migrations'))`;
    await transaction`
      create table if not exists migrations (
        number int primary key, name text not null, applied_at timestamptz not null default now()
      )`;
    const applied = new Set((await transaction`select number from migrations`).map((row) => row.number));
    for (const { number, name, up } of migrations.filter((migration) => !applied.has(migration.number))) {
      await up(transaction);
      await transaction`insert into migrations (number, name) values (${number}, ${name})`;
      console.log(`applied ${number}: ${name}`);
    }
  });
  console.log(`the database is at migration ${migrations.at(-1).number}`);
} finally {
  await sql.end({ timeout: 2 });
}

async function databaseIsThere() {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      await sql`select 1`;
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(300);
    }
  }
}
