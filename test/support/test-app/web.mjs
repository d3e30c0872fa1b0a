/**
 * The smallest service a pipeline can be tried on. `behaviour.json` is baked into the image and says how a build
 * misbehaves: `unhealthy`, `unhealthyOn` (a host), `healthyIn` (only that environment), `crashAfterMs` (after it was
 * first found healthy), `crashAfterVisitMs` (after its first visitor came) and `crashIn` (only that environment),
 * `ignoreTerm`, `migrationFails`; `echoSecrets` prints secrets, which no service should do.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const behaviour = JSON.parse(readFileSync(new URL('behaviour.json', import.meta.url), 'utf8'));
const { LOCKAGE_ENVIRONMENT: environment = '', LOCKAGE_HOST: host = '', LOCKAGE_VERSION: version = '' } = process.env;
const { GREETING: greeting = '', TOKEN_FILE } = process.env;
const secret = TOKEN_FILE ? readFileSync(TOKEN_FILE, 'utf8') : '';
const answer = {
  version,
  built: behaviour.version,
  host,
  greeting,
  secretHash: createHash('sha256').update(secret).digest('hex'),
};
const elsewhere = behaviour.healthyIn !== undefined && behaviour.healthyIn !== environment;
const unhealthy = behaviour.unhealthy === true || behaviour.unhealthyOn === host || elsewhere;

if (process.argv[2] === 'migrate') {
  console.log(`migrating to ${version}`);
  process.exit(behaviour.migrationFails ? 7 : 0);
}
if (behaviour.echoSecrets) console.log(`the secret is ${secret}`);

let crashing = false;
/** @param {number | undefined} ms */
function crashAfter(ms) {
  if (ms === undefined || crashing || (behaviour.crashIn ?? environment) !== environment) return;
  crashing = true;
  setTimeout(() => {
    console.error('crashing, as it was built to');
    process.exit(1);
  }, ms);
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://trial');
  let status = 200;
  if (url.pathname === '/slow') await sleep(Number(url.searchParams.get('ms') ?? 2000));
  if (url.pathname === '/healthz') {
    status = unhealthy ? 503 : 200;
    crashAfter(behaviour.crashAfterMs);
  } else {
    crashAfter(behaviour.crashAfterVisitMs);
  }
  const connection = server.listening ? {} : { connection: 'close' };
  response.writeHead(status, { 'content-type': 'application/json', 'x-version': version, ...connection });
  const visitor = url.pathname === '/visitor' ? { visitor: request.headers['x-forwarded-for'] } : {};
  response.end(`${JSON.stringify({ ...answer, ...visitor })}\n`);
});
server.keepAliveTimeout = 180_000;
server.listen(8080, () => console.log(`trial ${version} (built as ${behaviour.version}) listens`));

process.on('SIGTERM', () => {
  if (behaviour.ignoreTerm) return;
  server.close(() => process.exit(0));
  setInterval(() => server.closeIdleConnections(), 100);
});
