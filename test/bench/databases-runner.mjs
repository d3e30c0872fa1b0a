/**
 * Runs tests that change data, each on a pristine database by one of the methods, as a command of `lockage test`; prints one line
 * of JSON with milliseconds. Its arguments: the method, the number of tests, how many at a time, the milliseconds that each waits for
 * something of its own, and the folder with the driver.
 */
import { execFile, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const [method = '', count = '', parallel = '', ownTime = '', driver = ''] = process.argv.slice(2);
const postgres = createRequire(`${driver}/`)('postgres');
const { takeDatabase } = await import(process.env['LOCKAGE_TEST_HELPER'] ?? '');
const docker = promisify(execFile);
const seeded = 100;

/** @type {number[]} */
const waits = [];
const methods = { taken: forked, truncate: truncated, restore: restored };
const begin = await methods[/** @type {keyof typeof methods} */ (method)]();
let next = 0;
const started = performance.now();
await Promise.all(Array.from({ length: Number(parallel) }, (_, worker) => work(worker + 1)));
const total = performance.now() - started;
console.log(JSON.stringify({ total, waits }));

/** @param {number} worker */
async function work(worker) {
  while (next < Number(count)) {
    next += 1;
    const asked = performance.now();
    const { url, end } = await begin(worker);
    waits.push(performance.now() - asked);
    await changeData(url);
    if (Number(ownTime) > 0) await sleep(Number(ownTime));
    await end();
  }
}

/** A test: it sees what was seeded and nothing else, and changes it. */
async function changeData(/** @type {string} */ url) {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const [{ number }] = await sql`select count(*)::int as number from jobs`;
  if (number !== seeded) throw new Error(`${number} rows in place of ${seeded}`);
  await sql`delete from jobs where id > 50`;
  await sql`insert into jobs (made_by) values ('test')`;
  await sql.end();
}

/** A database of its own for each test: from the pool, cold, or by a template, as the command was told. */
async function forked() {
  return async () => {
    const { url, release } = await takeDatabase();
    return { url, end: async () => release() };
  };
}

/** One database for each worker, whose tables are emptied and filled again before each test. */
async function truncated() {
  return async (/** @type {number} */ worker) => {
    const url = urlOf(worker);
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    await sql.begin(async (/** @type {any} */ all) => {
      await all`truncate jobs, counters restart identity`;
      await all`insert into counters (name) values ('visits')`;
      await all`insert into jobs (made_by) select 'seed ' || number from generate_series(1, ${seeded}) number`;
    });
    await sql.end();
    return { url, end: async () => {} };
  };
}

/** One database for each worker, which is dropped, made and restored from a dump before each test. */
async function restored() {
  const names = new Map();
  for (let worker = 1; worker <= Number(parallel); worker += 1) {
    const { port } = new URL(urlOf(worker));
    const { stdout } = await docker('docker', ['ps', '--quiet', '--filter', `publish=${port}`]);
    names.set(worker, stdout.trim());
  }
  const inFork = ['--host', '/tmp', '--username', 'shop'];
  const words = ['exec', names.get(1), 'pg_dump', ...inFork, 'shop'];
  const { stdout: dump } = await docker('docker', words, { maxBuffer: 256 * 1024 * 1024 });
  const remake = 'drop database shop with (force);\ncreate database shop;\n\\connect shop\n';
  return async (/** @type {number} */ worker) => {
    const client = ['psql', '--quiet', '--no-psqlrc', ...inFork, '--dbname', 'postgres', '--set', 'ON_ERROR_STOP=1'];
    const child = spawn('docker', ['exec', '--interactive', names.get(worker), ...client], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    child.stdin.end(remake + dump);
    const code = await new Promise((resolve) => child.on('exit', resolve));
    if (code !== 0) throw new Error(`the restore ended with ${code}`);
    return { url: urlOf(worker), end: async () => {} };
  };
}

function urlOf(/** @type {number} */ worker) {
  return process.env[`LOCKAGE_DATABASE_URL_${worker}`] ?? '';
}
