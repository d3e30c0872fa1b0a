import type { OutgoingHttpHeaders } from 'node:http';
import { printable } from '../../../pipelines/text/printable.ts';
import { EngineError } from './errors.ts';
import { MisfitError, type Shape } from '../../system/shapes.ts';

/** Encodes a request body: a buffer as it is (a tar archive), anything else as JSON. */
export function encodeBody(
  call: Call,
  upgrade: boolean,
): { payload: Buffer | undefined; headers: OutgoingHttpHeaders } {
  const { body, upload } = call;
  const raw = Buffer.isBuffer(body);
  const payload = raw ? body : body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return {
    payload,
    headers: {
      Host: 'docker',
      ...(payload ? { 'Content-Type': raw ? 'application/x-tar' : 'application/json' } : {}),
      ...lengthOf(call, payload, upload !== undefined),
      ...(upgrade ? { Connection: 'Upgrade', Upgrade: 'tcp' } : {}),
      ...call.headers,
    },
  };
}

function lengthOf({ method }: Call, payload: Buffer | undefined, isUpload: boolean): OutgoingHttpHeaders {
  if (isUpload) return { 'Content-Type': 'application/x-tar', 'Transfer-Encoding': 'chunked' };
  return method === 'POST' || method === 'PUT' ? { 'Content-Length': payload?.length ?? 0 } : {};
}

/** Returns the query string; undefined members are left out. */
export function queryString(query: Call['query']): string {
  const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)] as [string, string]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

/** Returns the engine's words from the body of an error. */
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

/**
 * Returns the JSON of an engine's answer, in its shape. Throws EngineError where it is none, or of another shape: something
 * else may have answered.
 */
export function parsedJson<T>(host: string, what: string, body: Buffer, shape: Shape): T {
  const text = body.toString('utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    const said = printable(text.trim().slice(0, 100));
    throw new EngineError(host, what, `an answer that is not JSON: ${said}`, { cause });
  }
  try {
    return shape(parsed, 'it') as T;
  } catch (cause) {
    // Very deep ones end the stack.
    const why = cause instanceof MisfitError ? cause.message : 'it is too deep';
    throw new EngineError(host, what, `an answer that is not a Docker Engine's: ${printable(why.slice(0, 200))}`, {
      cause,
    });
  }
}

/** A request to an engine. Bodies are whole buffers, so that an unsent request can be sent again. */
export interface Call {
  /** completes the sentence "cannot …": `start container web-1` */
  readonly what: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** a buffer is sent as it is (a tar archive), anything else as JSON */
  readonly body?: unknown;
  /** an archive of any size, in the place of a body; called once for each time that it is sent */
  readonly upload?: () => AsyncIterable<Buffer>;
  readonly headers?: OutgoingHttpHeaders;
  /** milliseconds for the whole answer; for a stream, until its headers */
  readonly deadline?: number;
  readonly signal?: AbortSignal | undefined;
  /** statuses from 300 on that are not errors */
  readonly accept?: readonly number[];
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** milliseconds since 1970, by the clock of the engine's host; NaN where it does not say */
  readonly time: number;
  /** what a container's path is, base64 of JSON; only where that was asked for */
  readonly pathStat?: string;
}
