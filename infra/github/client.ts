/*
 * GitHub's API through octokit, whose own plugins wait where GitHub says so (Retry-After, rate limits, too many writes), try
 * once more what it could not answer, and turn pages. Here are the limits of all that: a GitHub that is away, slow or
 * endless costs seconds, and an answer in HTML is an error in one line.
 */
import { Octokit } from 'octokit';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { printable } from '../../pipelines/text/printable.ts';
import { webFetch } from '../system/web-fetch.ts';

/** The repository, and how it is reached. */
export interface GitHubAccess {
  readonly owner: string;
  readonly name: string;
  readonly baseUrl: string;
  readonly token: string;
  /** milliseconds for all of a piece of work, with every wait and every try */
  readonly deadline: number;
  readonly signal?: AbortSignal;
}

/** A connection to a repository on GitHub. */
export interface GitHubClient {
  readonly octokit: Octokit;
  readonly repo: { readonly owner: string; readonly repo: string };
  /** Carries out a piece of work within the deadline. Throws LockageError, in one line. */
  within<T>(work: () => Promise<T>): Promise<T>;
}

/** Bytes of the longest answer. A page of a hundred pull requests has two million. */
const longestAnswer = 16 * 1024 * 1024;

/** Opens a connection; asks nothing yet. */
export function openGitHub(access: GitHubAccess): GitHubClient {
  const { owner, name, baseUrl, token, deadline, signal } = access;
  let late = AbortSignal.timeout(deadline);
  let began = performance.now();
  const current = () => (signal ? AbortSignal.any([late, signal]) : late);
  const patient = (retryAfter: number, _options: unknown, _octokit: unknown, tries: number) =>
    tries < 2 && performance.now() - began + retryAfter * 1000 < deadline;
  const octokit = new Octokit({
    auth: token,
    baseUrl,
    userAgent: 'lockage',
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    request: { fetch: limitedFetch(current) },
    // What it refuses and does not find stays so; what waits longer than this is over by then.
    retry: { retries: 1, doNotRetry: [400, 401, 403, 404, 409, 410, 422, 429] },
    throttle: { onRateLimit: patient, onSecondaryRateLimit: patient },
  });
  rememberAnswers(octokit);
  return {
    octokit,
    repo: { owner, repo: name },
    within: async (work) => {
      [late, began] = [AbortSignal.timeout(deadline), performance.now()];
      return await beforeIt(work(), current()).catch((error: unknown) => {
        throw new LockageError(whyOf(error, late, deadline), { cause: error });
      });
    },
  };
}

function quiet(): void {
  // What it logs has addresses in it, and is said better by the error.
}

/** Waits for work until it is too late: a wait of the throttling plugin listens to nobody. */
function beforeIt<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const over = () => reject(signal.reason instanceof Error ? signal.reason : new Error('stopped'));
    if (signal.aborted) over();
    signal.addEventListener('abort', over, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', over));
  });
}

/** Returns a `fetch` that ends with the work, follows nobody elsewhere and reads no more than an answer may have. */
function limitedFetch(signal: () => AbortSignal): typeof fetch {
  return async (input, init) => {
    const answer = await webFetch(input, { ...init, signal: signal(), redirect: 'error' });
    // These have no body, and may not be made with one.
    if (answer.body === null || [204, 205, 304].includes(answer.status)) return answer;
    const text = await readLimited(answer.body);
    if (answer.ok && !isJson(text)) throw new Error('what answers is no API of GitHub');
    const { status, statusText, headers } = answer;
    return new Response(text, { status, statusText, headers });
  };
}

/** Reads an answer to its end: octokit would take one that is cut off for an empty one. */
async function readLimited(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > longestAnswer) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

interface Remembered {
  readonly etag: string;
  readonly answer: { readonly data: unknown; readonly headers: object };
}

/** Asks for what was asked for before only whether it is still so: that costs nothing of the rate limit. */
function rememberAnswers(octokit: Octokit): void {
  const known = new Map<string, Remembered>();
  octokit.hook.wrap('request', async (request, options) => {
    const { method, url, headers: _, ...rest } = options;
    const key = JSON.stringify([method, url, rest], (name, value: unknown) => (name === 'request' ? undefined : value));
    const before = method === 'GET' ? known.get(key) : undefined;
    if (before) options.headers['if-none-match'] = before.etag;
    try {
      const answer = await request(options);
      const { etag } = answer.headers;
      if (method === 'GET' && etag !== undefined) known.set(key, { etag, answer });
      return answer;
    } catch (error) {
      if (before === undefined || statusOf(error) !== 304) throw error;
      return { ...(before.answer as Awaited<ReturnType<typeof request>>) };
    }
  });
}

/** Returns the status that GitHub answered with; undefined where it gave no answer. */
export function statusOf(error: unknown): number | undefined {
  const { status, response } = Object(error) as { readonly status?: unknown; readonly response?: unknown };
  return typeof status === 'number' && response !== undefined ? status : undefined;
}

/** What GitHub answers may be a page for people, and have anything in it. */
function whyOf(error: unknown, late: AbortSignal, deadline: number): string {
  if (late.aborted) return `GitHub gave no answer within ${deadline / 1000} s`;
  if (error instanceof LockageError) return error.message;
  const status = statusOf(error);
  const { response, cause } = Object(error) as {
    readonly response?: { readonly data?: unknown };
    readonly cause?: NodeJS.ErrnoException;
  };
  if (status === undefined)
    return `GitHub cannot be reached (${printable(cause?.code ?? messageOf(error)).slice(0, 200)})`;
  const { message } = Object(response?.data) as { readonly message?: unknown };
  const said = typeof message === 'string' ? `: ${printable(message).slice(0, 200)}` : '';
  return `GitHub answered ${status}${said}${helpFor(status)}`;
}

function helpFor(status: number): string {
  if (status === 401) return ' (is the token of `github.token` or GITHUB_TOKEN still good?)';
  return status === 403 || status === 404 ? ' (may the token do that in this repository?)' : '';
}
