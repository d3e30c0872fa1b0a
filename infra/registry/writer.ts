import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../pipelines/errors.ts';
import type { Digest } from '../../pipelines/model/release.ts';
import type { Manifest } from './client.ts';
import { exchange, type HttpAnswer } from './http.ts';
import { parseReference, type Reference } from './reference.ts';
import { RegistryHttp, type RegistryOptions } from './requests.ts';
import { isBusy, isPassing, pause, unreachable } from './retry.ts';

/** Milliseconds in which nothing of a blob gets further, or a registry says nothing about one that it has. */
const idleTimeout = 120_000;
const attempts = 4;

/** A blob that is to be sent, and how it is read: again for each attempt. */
export interface Upload {
  readonly digest: Digest;
  /** bytes */
  readonly size: number;
  open(signal: AbortSignal): Promise<Readable>;
  /** is told the bytes that were sent since the last call */
  readonly onProgress?: (bytes: number) => void;
}

/** A request that sends something; its body is made again for each attempt. */
interface Sending {
  readonly method: 'POST' | 'PUT';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  body(): Promise<Buffer | Readable>;
}

/**
 * The writing half of a client of registries. Blobs come before the manifests that name them, which a registry checks. Every
 * method throws LockageError, naming the registry, when it cannot be reached or refuses.
 */
export class RegistryWriter {
  readonly #http: RegistryHttp;
  readonly #signal: AbortSignal | undefined;

  constructor(options: RegistryOptions = {}) {
    this.#http = new RegistryHttp(options);
    this.#signal = options.signal;
  }

  /** Returns whether a repository has a blob already. */
  async hasBlob(repository: string, digest: Digest): Promise<boolean> {
    // Many registries refuse to speak of a repository that is new, and accept a push.
    const request = { method: 'HEAD', path: `blobs/${digest}`, accept: [404, 401, 403] } as const;
    const { status } = await this.#http.request(parseReference(repository), request);
    return status >= 200 && status < 300;
  }

  /** Sends a blob as a whole. What breaks off is sent again, a few times. */
  async putBlob(repository: string, upload: Upload): Promise<void> {
    const reference = parseReference(repository);
    const answer = await this.#repeated(reference, async () => {
      const begun = await this.#begin(reference);
      return begun.status === 202 ? this.#put(reference, placeOf(begun), upload) : begun;
    });
    if (answer.status !== 201) throw await this.#refusal(reference, 'PUT', `blobs/${upload.digest}`, answer);
  }

  /** Stores a manifest or index under a tag, or under its digest. */
  async putManifest(repository: string, tagOrDigest: string, { mediaType, bytes }: Manifest): Promise<void> {
    const reference = parseReference(repository);
    const path = `manifests/${tagOrDigest}`;
    const headers = { 'Content-Type': mediaType, 'Content-Length': String(bytes.length) };
    const request: Sending = { method: 'PUT', url: this.#url(reference, path), headers, body: async () => bytes };
    const answer = await this.#repeated(reference, () =>
      this.#watched((signal) => this.#send(reference, request, signal)),
    );
    if (answer.status !== 201) throw await this.#refusal(reference, 'PUT', path, answer);
  }

  #begin(reference: Reference): Promise<HttpAnswer> {
    const url = this.#url(reference, 'blobs/uploads/');
    const request: Sending = {
      method: 'POST',
      url,
      headers: { 'Content-Length': '0' },
      body: async () => Buffer.alloc(0),
    };
    return this.#watched((signal) => this.#send(reference, request, signal));
  }

  #put(reference: Reference, place: URL, { digest, size, open, onProgress }: Upload): Promise<HttpAnswer> {
    const url = new URL(place);
    // What the registry has written there already is its own, and stays as it is.
    url.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`;
    const headers = { 'Content-Type': 'application/octet-stream', 'Content-Length': String(size) };
    return this.#watched((signal, heard) => {
      const body = async () =>
        counted(await open(signal), (bytes) => {
          heard();
          onProgress?.(bytes);
        });
      return this.#send(reference, { method: 'PUT', url, headers, body }, signal);
    });
  }

  /** Sends one request; the login goes to the registry only, and not to where it has its blobs sent. */
  async #send(reference: Reference, { method, url, headers, body }: Sending, signal: AbortSignal): Promise<HttpAnswer> {
    const isOwn = url.origin === new URL(this.#http.baseUrl(reference.registry)).origin;
    const trust = await this.#http.trust(reference.registry);
    return this.#http.authorized(reference, 'pull,push', async (authorization) => {
      const login = authorization === undefined || !isOwn ? {} : { Authorization: authorization };
      const asked = { method, headers: { ...headers, ...login }, body: await body(), ...(trust ? { trust } : {}) };
      return exchange(url, asked, signal);
    });
  }

  /** Gives up what gets no further. */
  async #watched<T>(work: (signal: AbortSignal, heard: () => void) => Promise<T>): Promise<T> {
    const idle = new AbortController();
    const timer = setTimeout(() => idle.abort(), idleTimeout);
    try {
      const signals = this.#signal ? [this.#signal, idle.signal] : [idle.signal];
      return await work(AbortSignal.any(signals), () => timer.refresh());
    } catch (error) {
      throw idle.signal.aborted ? new Error(`no progress for ${idleTimeout / 1000} s`, { cause: error }) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #repeated({ registry }: Reference, work: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
    const signal = this.#signal;
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt === attempts;
      let retryAfter: string | undefined;
      try {
        const answer = await work();
        if (isLast || !isBusy(answer.status)) return answer;
        retryAfter = answer.header('retry-after');
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (isLast || !isPassing(error)) throw unreachable(`the registry ${registry}`, error);
      }
      await sleep(pause(attempt, retryAfter), undefined, signal ? { signal } : {});
    }
  }

  #url(reference: Reference, path: string): URL {
    return new URL(`${this.#http.baseUrl(reference.registry)}/v2/${reference.name}/${path}`);
  }

  #refusal(reference: Reference, method: string, path: string, answer: HttpAnswer): Promise<LockageError> {
    return this.#http.refusal(reference, { method, path }, answer);
  }
}

/** Returns where a registry wants a blob. Throws LockageError where that leaves https. */
function placeOf({ header, at }: HttpAnswer): URL {
  const place = new URL(header('location') ?? '', at);
  if (place.protocol === 'https:' || (place.protocol === 'http:' && at.protocol === 'http:')) return place;
  throw new LockageError(`${at.host} wants blobs sent to ${place.protocol}//${place.host}, which is not https`, {
    hint: 'Tell the registry the address under which it is reached, for example by X-Forwarded-Proto.',
  });
}

function counted(content: Readable, count: (bytes: number) => void): Readable {
  const chunks = async function* () {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      count(chunk.length);
      yield chunk;
    }
  };
  return Readable.from(chunks(), { objectMode: false });
}
