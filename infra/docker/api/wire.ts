import type { OutgoingHttpHeaders } from 'node:http';
import type { Call } from './transport.ts';

/** What is sent: a buffer as it is (a tar archive), anything else as JSON. */
export function encodeBody(
  call: Call,
  upgrade: boolean,
): { payload: Buffer | undefined; headers: OutgoingHttpHeaders } {
  const { body } = call;
  const raw = Buffer.isBuffer(body);
  const payload = raw ? body : body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return {
    payload,
    headers: {
      Host: 'docker',
      ...(payload ? { 'Content-Type': raw ? 'application/x-tar' : 'application/json' } : {}),
      ...(call.method === 'POST' || call.method === 'PUT' ? { 'Content-Length': payload?.length ?? 0 } : {}),
      ...(upgrade ? { Connection: 'Upgrade', Upgrade: 'tcp' } : {}),
      ...call.headers,
    },
  };
}

/** Undefined members are left out. */
export function queryString(query: Call['query']): string {
  const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)] as [string, string]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

/** The engine's words in the body of an error. */
export function engineMessage(body: Buffer): string {
  const text = body.toString('utf8').trim();
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed && typeof parsed === 'object' && 'message' in parsed) return String(parsed.message);
  } catch {
    // not every error has a JSON body
  }
  return text.slice(0, 500) || 'no reason given';
}
