/** The thread of the load generator: sends, measures, and reports its numbers ten times a second. See load.ts. */
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { LoadOptions, LoadStats, VersionSeen } from './load.ts';

const closedRace = 100;
const mostUnderWay = 5_000;
const keptFailures = 50;
const growth = 1.02;

interface Sending {
  readonly url: string;
  readonly target: URL;
  /** when it should have been sent */
  readonly due: number;
  readonly slow: boolean;
  readonly ownConnection: boolean;
  readonly timeout: number;
}

const options = workerData as LoadOptions;
const timeout = options.timeout ?? 10_000;
const kept = new Agent({ keepAlive: true, maxFreeSockets: 256 });
const counts = { sent: 0, ok: 0, failed: 0, retried: 0, slowSent: 0, slowOk: 0 };
const errors: Record<string, number> = {};
const failures: { at: number; url: string; kind: string }[] = [];
const versionsSeen: Record<string, Record<string, VersionSeen>> = {};
const current: Record<string, { due: number; version: string }> = {};
// Latencies in buckets that are 2 % apart: exact enough, and no larger after an hour.
const buckets = new Uint32Array(1200);
let worst = 0;
let underWay = 0;

const started = performance.now();
let dueRequests = 0;
let dueSlow = 0;

const sending = setInterval(sendDue, 2);
const reporting = setInterval(() => report(false), 100);
parentPort?.on('message', () => void finish());
sendDue();
report(false);

function sendDue(): void {
  const elapsed = performance.now() - started;
  for (; dueRequests < (elapsed * options.rate) / 1000; dueRequests += 1) {
    const url = options.urls[dueRequests % options.urls.length] ?? '';
    // Both kinds have to reach every url, so the kind changes after a round over the urls.
    const round = Math.floor(dueRequests / options.urls.length);
    const ownConnection = options.connections === 'new' || (options.connections === 'both' && round % 2 === 1);
    const due = started + (dueRequests * 1000) / options.rate;
    launch({ url, target: new URL(url), due, slow: false, ownConnection, timeout });
  }
  const { slow } = options;
  if (!slow) return;
  for (; dueSlow * slow.everyMs < elapsed; dueSlow += 1) {
    const url = options.urls[dueSlow % options.urls.length] ?? '';
    const due = started + dueSlow * slow.everyMs;
    const target = new URL(slow.path, url);
    launch({ url, target, due, slow: true, ownConnection: true, timeout: Math.max(timeout, 60_000) });
  }
}

function launch(sent: Sending): void {
  counts.sent += 1;
  if (sent.slow) counts.slowSent += 1;
  if (underWay >= mostUnderWay) return fail(sent, 'too many under way');
  underWay += 1;
  exchange(sent, sent.ownConnection, (kind, version) => {
    underWay -= 1;
    if (kind === undefined) succeed(sent, version);
    else fail(sent, kind);
  });
}

function exchange(sent: Sending, fresh: boolean, done: (kind?: string, version?: string) => void): void {
  const began = performance.now();
  let settled = false;
  const settle = (kind?: string, version?: string) => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    done(kind, version);
  };
  const headers = fresh ? { ...options.headers, connection: 'close' } : options.headers;
  const call: ClientRequest = request(sent.target, { agent: fresh ? false : kept, ...(headers ? { headers } : {}) });
  const timer = setTimeout(() => {
    settle('timeout');
    call.destroy();
  }, sent.timeout);
  let answered = false;
  call.on('response', (response) => {
    answered = true;
    receive(response, settle);
  });
  call.on('error', (error: NodeJS.ErrnoException) => {
    const closedUnderIt =
      call.reusedSocket &&
      !answered &&
      performance.now() - began < closedRace &&
      /ECONNRESET|EPIPE/.test(error.code ?? '');
    if (!closedUnderIt || settled) return settle(error.code ?? error.message);
    settled = true;
    clearTimeout(timer);
    counts.retried += 1;
    exchange(sent, true, done);
  });
  call.end();
}

function receive(response: IncomingMessage, settle: (kind?: string, version?: string) => void): void {
  let body = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    if (body.length < 10_000) body += chunk;
  });
  response.on('error', () => settle('cut off'));
  response.on('close', () => settle('cut off'));
  response.on('end', () => {
    if (!response.complete) settle('cut off');
    else if (response.statusCode !== 200) settle(`status ${response.statusCode}`);
    else settle(undefined, versionOf(response, body));
  });
}

function versionOf(response: IncomingMessage, body: string): string | undefined {
  const header = response.headers['x-version'];
  if (typeof header === 'string') return header;
  return /"version"\s*:\s*"([^"]*)"/.exec(body)?.[1];
}

function succeed(sent: Sending, version: string | undefined): void {
  counts.ok += 1;
  if (sent.slow) counts.slowOk += 1;
  else {
    const latency = performance.now() - sent.due;
    worst = Math.max(worst, latency);
    const bucket = Math.min(buckets.length - 1, Math.max(0, Math.floor(Math.log(latency / 0.01) / Math.log(growth))));
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  if (version === undefined) return;
  const now = Date.now();
  const seen = (versionsSeen[sent.url] ??= {});
  const before = seen[version];
  seen[version] = { first: before?.first ?? now, last: now, count: (before?.count ?? 0) + 1 };
  // By the order of sending: a long request that ends late says nothing about now.
  if ((current[sent.url]?.due ?? -1) < sent.due) current[sent.url] = { due: sent.due, version };
}

function fail(sent: Sending, kind: string): void {
  counts.failed += 1;
  errors[kind] = (errors[kind] ?? 0) + 1;
  if (failures.length < keptFailures) failures.push({ at: Date.now(), url: sent.target.href, kind });
}

function percentile(share: number): number {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  let passed = 0;
  for (const [index, count] of buckets.entries()) {
    passed += count;
    if (total > 0 && passed >= total * share) return Math.round(0.01 * growth ** (index + 0.5) * 100) / 100;
  }
  return 0;
}

function report(final: boolean): void {
  const { slowSent, slowOk, ...numbers } = counts;
  const stats: LoadStats = {
    ...numbers,
    slow: { sent: slowSent, ok: slowOk },
    errors,
    failures,
    versionsSeen,
    current: Object.fromEntries(Object.entries(current).map(([url, { version }]) => [url, version])),
    latency: { p50: percentile(0.5), p99: percentile(0.99), max: Math.round(worst * 100) / 100 },
  };
  parentPort?.postMessage({ stats, final }, []);
}

async function finish(): Promise<void> {
  clearInterval(sending);
  // Each request has its own deadline, so this ends.
  for (;;) {
    if (underWay === 0) break;
    await sleep(10);
  }
  clearInterval(reporting);
  kept.destroy();
  report(true);
}
