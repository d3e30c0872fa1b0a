import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { webFetch } from '../system/web-fetch.ts';

/** A message for a web hook. */
export interface WebhookMessage {
  readonly url: string;
  readonly body: string;
  /** signs it: text, or bytes as `whsec_` and base64; absent: it is not signed */
  readonly secret?: string;
}

/** The limits of sending. Milliseconds. */
export interface SendOptions {
  /** until it is given up, all tries together */
  readonly deadline: number;
  readonly signal?: AbortSignal;
  /** milliseconds since 1970 */
  readonly now: () => number;
}

/** Milliseconds before a second try. */
const pause = 500;

/**
 * Sends a message, signed as Standard Webhooks has it: whoever gets it can tell that it comes from here, that it was not
 * changed, when it was made, and by its number that it came twice. A server that is in trouble is asked once more. Throws
 * LockageError, in one line and without the URL, which may be a secret.
 */
export async function sendWebhook(message: WebhookMessage, options: SendOptions): Promise<void> {
  const { deadline, signal } = options;
  const late = AbortSignal.timeout(deadline);
  const either = signal ? AbortSignal.any([late, signal]) : late;
  const headers = headersOf(message, randomUUID(), options.now());
  try {
    await post(message, headers, either).catch(async (error: unknown) => {
      if (either.aborted || !isPassing(error)) throw error;
      await sleep(pause, undefined, { signal: either });
      await post(message, headers, either);
    });
  } catch (error) {
    throw new LockageError(late.aborted ? `gave no answer within ${deadline / 1000} s` : whyOf(error), {
      cause: error,
    });
  }
}

/** Returns the headers of a message. https://www.standardwebhooks.com */
export function headersOf({ body, secret }: WebhookMessage, id: string, now: number): Record<string, string> {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'lockage' };
  if (secret === undefined) return headers;
  const time = Math.floor(now / 1000).toString();
  const signature = createHmac('sha256', keyOf(secret)).update(`${id}.${time}.${body}`).digest('base64');
  return { ...headers, 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': `v1,${signature}` };
}

function keyOf(secret: string): Buffer {
  const prefix = 'whsec_';
  return secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), 'base64') : Buffer.from(secret);
}

/** An answer that says no. */
class AnsweredError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`answered ${status}`);
    this.status = status;
  }
}

function isPassing(error: unknown): boolean {
  return !(error instanceof AnsweredError) || error.status >= 500 || error.status === 429;
}

async function post(
  { url, body }: WebhookMessage,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  // Who is led elsewhere would tell a stranger.
  const answer = await webFetch(url, { method: 'POST', body, headers, signal, redirect: 'manual' });
  // What it says does not count, and may never end.
  await answer.body?.cancel();
  if (!answer.ok) throw new AnsweredError(answer.status);
}

/** `fetch` itself says that it failed, and its cause why; neither may have the URL in it. */
function whyOf(error: unknown): string {
  if (error instanceof AnsweredError) return error.message;
  const { cause } = Object(error) as { readonly cause?: NodeJS.ErrnoException };
  return `cannot be reached (${cause?.code ?? (error instanceof TypeError ? 'no connection' : messageOf(error))})`;
}
