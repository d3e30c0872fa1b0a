/** The web role: counts visits, hands jobs to the worker, and ends only when its last answer is out. */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { built, environment, host, unhealthy, version, visited } from './behaviour.mjs';
import { openDatabase, within } from './database.mjs';

const port = Number(process.env.PORT ?? 8080);
const longestSlow = 60_000;
const sql = openDatabase();

let visits = 0;
let uncounted = 0;
let stopping = false;

const routes = {
  'GET /': async () => {
    uncounted += 1;
    visited();
    return { app: 'shop', version, host, environment, visits: visits + uncounted };
  },
  'GET /version': async () => ({ version, built, host, environment }),
  'GET /healthz': async () => {
    if (unhealthy) return [503, { healthy: false, why: 'this build is never healthy here' }];
    await within(2000, sql`select 1`);
    return { healthy: true };
  },
  'GET /slow': async (query) => {
    const ms = Math.min(Number(query.get('ms') ?? 2000) || 0, longestSlow);
    await sleep(ms);
    return { version, host, waited: ms };
  },
  'GET /jobs': async () => {
    const [row] = await within(
      2000,
      sql`
      select count(*) filter (where done_at is null)::int as waiting,
             count(*) filter (where done_at is not null)::int as done
      from jobs`,
    );
    return row;
  },
  'POST /jobs': async () => {
    const [row] = await within(2000, sql`insert into jobs (made_by) values (${version}) returning id::int`);
    return [202, row];
  },
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://shop');
  request.resume();
  let status = 200;
  let body;
  try {
    const route = routes[`${request.method} ${url.pathname}`];
    const answer = route ? await route(url.searchParams) : [404, { error: 'not found' }];
    [status, body] = Array.isArray(answer) ? answer : [200, answer];
  } catch (error) {
    [status, body] = [503, { error: error instanceof Error ? error.message : String(error) }];
  }
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-version': version,
    'x-host': host,
    ...(stopping ? { connection: 'close' } : {}),
  });
  response.end(`${JSON.stringify(body)}\n`);
});

// Longer than the edge proxy keeps idle connections, so that it never sends into one that is being closed here.
server.keepAliveTimeout = 180_000;
server.listen(port, () => console.log(`shop ${version} (built as ${built}) listens on ${port}`));

// One small write a second, however many visitors come.
const counting = setInterval(() => void countVisits(), 1000);

async function countVisits() {
  const counted = uncounted;
  try {
    const [row] = await within(
      2000,
      sql`
      update counters set value = value + ${counted} where name = 'visits' returning value::int`,
    );
    visits = row.value;
    uncounted -= counted;
  } catch {
    // The database is away, or not migrated yet: these visits are counted in a later second.
  }
}

async function stop() {
  if (stopping) return;
  stopping = true;
  console.log('finishing requests');
  clearInterval(counting);
  const closed = new Promise((resolve) => server.close(resolve));
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  await closed;
  clearInterval(idle);
  await countVisits();
  await sql.end({ timeout: 2 });
  console.log('done');
  process.exit(0);
}

process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());
