/** The worker role: takes jobs from a table. Several workers share it, as a taken row is skipped by the others. */
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { unhealthy, version } from './behaviour.mjs';
import { openDatabase, within } from './database.mjs';

const heartbeat = process.env.HEARTBEAT_FILE ?? '/tmp/heartbeat';
const sql = openDatabase({ connections: 1 });
const stopping = new AbortController();

process.on('SIGTERM', () => stopping.abort());
process.on('SIGINT', () => stopping.abort());

console.log(`worker ${version} waits for jobs`);
while (!stopping.signal.aborted) {
  try {
    const worked = await within(20_000, workOnce());
    // The heartbeat says "the database gives me work", so it stops when that stops being true.
    if (!unhealthy) await writeFile(heartbeat, new Date().toISOString());
    if (!worked) await pause(500);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    await pause(1000);
  }
}
await sql.end({ timeout: 2 });
console.log('worker is done');

// The row stays locked until the work is done: a worker that dies gives it back.
async function workOnce() {
  return await sql.begin(async (transaction) => {
    const [job] = await transaction`
      select id from jobs where done_at is null order by id limit 1 for update skip locked`;
    if (!job) return false;
    await sleep(50);
    await transaction`update jobs set done_at = now(), done_by = ${version} where id = ${job.id}`;
    return true;
  });
}

function pause(milliseconds) {
  return sleep(milliseconds, undefined, { signal: stopping.signal }).catch(() => {});
}
