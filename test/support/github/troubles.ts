import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Something that happens in place of an answer, or before it. */
export type Trouble = (response: ServerResponse, answer: () => void) => void | Promise<void>;

/** Troubles that GitHub is known for. */
export const troubles = {
  error:
    (status: number, headers: Readonly<Record<string, string>> = {}): Trouble =>
    (response) =>
      void response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end('{"message":"Server Error"}'),
  html:
    (status: number): Trouble =>
    (response) =>
      void response
        .writeHead(status, { 'content-type': 'text/html' })
        .end(`<html><h1>Unicorn!</h1>${'x'.repeat(5000)}</html>`),
  rateLimit:
    (seconds: number): Trouble =>
    (response) =>
      void response
        .writeHead(403, {
          'content-type': 'application/json',
          'x-ratelimit-remaining': '0',
          'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + seconds),
        })
        .end('{"message":"API rate limit exceeded"}'),
  abuse:
    (seconds: number): Trouble =>
    (response) =>
      void response
        .writeHead(403, { 'content-type': 'application/json', 'retry-after': String(seconds) })
        .end('{"message":"You have exceeded a secondary rate limit."}'),
  silence: (): Trouble => () => undefined,
  slow:
    (milliseconds: number): Trouble =>
    async (_response, answer) => {
      await sleep(milliseconds);
      answer();
    },
  cut: (): Trouble => (response) => void response.destroy(),
  endless: (): Trouble => (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = () => void (response.destroyed || (response.write('"'.repeat(1 << 20)), setImmediate(more)));
    more();
  },
  elsewhere: (): Trouble => (response) => void response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
} as const;
