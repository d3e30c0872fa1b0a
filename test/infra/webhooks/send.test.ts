import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chatDocument, eventDocument, eventOf, eventText } from '../../../infra/webhooks/message.ts';
import { sendWebhook, type WebhookMessage } from '../../../infra/webhooks/send.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import type { OperationEnd } from '../../../pipelines/operations/observers.ts';
import { release } from '../../pipelines/model/values.ts';

interface Heard {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let server: Server;
let url: string;
let heard: Heard[];
let answer: (response: ServerResponse, nth: number) => void;

beforeEach(async () => {
  heard = [];
  answer = (response) => response.writeHead(204).end();
  server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.push({ headers: request.headers, body });
      answer(response, heard.length);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/T0/canary`;
});
afterEach(async () => {
  server.closeAllConnections();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
});

const now = () => Date.parse('2026-01-02T03:04:05.678Z');
const send = (message: Partial<WebhookMessage> = {}, deadline = 3000) =>
  sendWebhook({ url, body: '{"a":1}', ...message }, { deadline, now });
const why = async (attempt: Promise<void>): Promise<string> => {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LockageError)) throw new Error(`no LockageError: ${String(error)}`);
  expect(error.message).not.toContain('canary');
  return error.message;
};

describe('a message', () => {
  test.each([
    ['text', 'hunter2hunter2', Buffer.from('hunter2hunter2')],
    ['bytes', 'whsec_AAECAwQFBgc=', Buffer.from([0, 1, 2, 3, 4, 5, 6, 7])],
  ])('is signed with %s, over its number, its time and all of it', async (_kind, secret, key) => {
    await send({ secret });
    const [{ headers, body } = { headers: {}, body: '' }] = heard;
    expect(headers['webhook-timestamp']).toBe('1767323045');
    const signed = `${String(headers['webhook-id'])}.1767323045.${body}`;
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
  });

  test('without a secret is not signed', async () => {
    await send();
    expect(heard[0]?.headers['webhook-signature']).toBeUndefined();
    expect(heard[0]).toMatchObject({ body: '{"a":1}', headers: { 'content-type': 'application/json; charset=utf-8' } });
  });

  test.each([500, 503, 429])('is sent once more after %d, with the same number', async (status) => {
    answer = (response, nth) => response.writeHead(nth === 1 ? status : 200).end();
    await send({ secret: 'hunter2hunter2' });
    expect(heard).toHaveLength(2);
    expect(heard[1]?.headers['webhook-id']).toBe(heard[0]?.headers['webhook-id']);
  });

  test.each<[string, (response: ServerResponse) => void, string, number]>([
    ['that is not wanted', (response) => response.writeHead(404).end('<html>'), 'answered 404', 1],
    ['that nobody takes twice', (response) => response.writeHead(500).end(), 'answered 500', 2],
    ['that is led elsewhere', (r) => r.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 'answered 302', 1],
    ['that nobody answers', () => undefined, 'gave no answer within 1 s', 1],
    ['whose connection is cut', (response) => response.destroy(), 'cannot be reached (UND_ERR_SOCKET)', 2],
  ])('%s fails in one line, without the URL', async (_what, how, message, times) => {
    answer = how;
    expect(await why(send({}, 1000))).toBe(message);
    expect(heard).toHaveLength(times);
  });

  test('to a port where nobody listens fails', async () => {
    const [gone] = [url, await new Promise((resolve) => server.close(resolve))];
    expect(await why(send({ url: gone }))).toBe('cannot be reached (ECONNREFUSED)');
  });

  test('is sent where the answer never ends', async () => {
    answer = (response) => void response.writeHead(200).write('a');
    await send();
    expect(heard).toHaveLength(1);
  });
});

const end: OperationEnd = {
  operation: 'promote',
  environment: 'prod',
  release: release('1.4.0'),
  previous: release('1.3.0'),
  revision: 12,
  outcome: 'done',
  duration: 4321,
};
const teller = { app: 'shop', actor: 'anna@desk', time: '2026-01-02T00:00:00.000Z' };

describe('what is told', () => {
  test.each<[string | undefined, Partial<OperationEnd>]>([
    ['promoted', {}],
    ['promoted', { outcome: 'partial' }],
    ['rolled-back', { operation: 'rollback' }],
    ['released', { operation: 'release' }],
    ['changed', { operation: 'cordon' }],
    ['failed', { outcome: 'rolled back', message: 'never healthy' }],
    ['failed', { outcome: 'partial', message: 'not all hosts' }],
    ['failed', { operation: 'drill', isTrial: true, outcome: 'broken', message: 'no image' }],
    ['refused', { outcome: 'refused', message: 'on hold' }],
    ['refused', { outcome: 'locked', message: 'locked by ben' }],
    [undefined, { outcome: 'unchanged' }],
    [undefined, { outcome: 'refused', isTrial: true, message: 'on hold' }],
  ])('is %s', (event, how) => expect(eventOf({ ...end, ...how })).toBe(event));

  test('to programs has all that is known', () => {
    expect(eventDocument('promoted', end, teller)).toEqual({
      event: 'promoted',
      ...teller,
      operation: 'promote',
      environment: 'prod',
      version: '1.4.0',
      digest: release('1.4.0').digest,
      commit: release('1.4.0').commit,
      previousVersion: '1.3.0',
      revision: 12,
      reason: null,
      brokenGlass: null,
      outcome: 'done',
      message: null,
      seconds: 4.3,
    });
  });

  test('to people is a sentence, in which nothing begins a mention', () => {
    expect(eventText('promoted', end, teller)).toMatch(
      /^shop 1\.4\.0 \([0-9a-f:]+\S*\) was promoted in prod, before it 1\.3\.0, by anna@desk$/,
    );
    const failed = eventText('failed', { ...end, outcome: 'broken', message: '<!channel> a & b\u001b[2J' }, teller);
    expect(chatDocument(failed).text).toBe(
      'shop: promote failed in prod, before it 1.3.0, by anna@desk: &lt;!channel&gt; a &amp; b\\u001b[2J',
    );
  });
});
