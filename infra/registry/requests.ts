import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../pipelines/errors.ts';
import { Deadline } from '../system/deadline.ts';
import { authorizationFor, errorText, type Demand } from './authorize.ts';
import { storedCredentials, type Credentials } from './credentials.ts';
import { exchange, open, type HttpAnswer, type HttpHead, type HttpRequest, type HttpStream } from './http.ts';
import type { Reference } from './reference.ts';
import { isBusy, isPassing, pause, unreachable } from './retry.ts';
import { trustIn, type Trust } from './trust.ts';

/** The options of a client for registries. */
export interface RegistryOptions {
  /** registries that are reached by plain http, as `10.0.0.1:5000`; loopback addresses always are */
  readonly insecure?: readonly string[];
  /** folder of Docker's config.json */
  readonly dockerConfig?: string;
  /** the same for the logins that hosts get, which need no more than to pull; absent: the same logins */
  readonly pullConfig?: string;
  /** milliseconds until an answer must begin, or a small one must end; 30 s by default */
  readonly deadline?: number;
  /** milliseconds that a credential helper may take; 20 s by default */
  readonly helperDeadline?: number;
  readonly signal?: AbortSignal;
  /** returns where a repository lies today; absent: where its name says */
  readonly locate?: (repository: string) => Promise<Location>;
}

/** The place where a repository is reached today. */
export interface Location {
  /** `127.0.0.1:15050/shop`, or the repository itself */
  readonly repository: string;
  /** id of the container that is its registry, on the operator's own engine: only that engine and this computer reach it */
  readonly container?: string;
}

/** A request about a repository. */
export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'DELETE';
  /** after `/v2/NAME/` */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** statuses besides 2xx that are not errors */
  readonly accept?: readonly number[];
}

const attempts = 4;
/** What registries answer that do not know HEAD requests. */
const withoutHead = [405, 501];

/**
 * A client for requests to registries: with the machine's credentials, deadlines, size limits and a bounded number of
 * retries.
 */
export class RegistryHttp {
  readonly #options: RegistryOptions;
  readonly #deadline: number;
  /** repository and what is done with it → value of the Authorization header that worked */
  readonly #authorization = new Map<string, string>();
  /** registry → why its login could not be read */
  readonly #withoutLogin = new Map<string, LockageError>();
  /** folder and registry → its login: a helper that hangs is waited for once */
  readonly #logins = new Map<string, Promise<Credentials | undefined>>();

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#deadline = options.deadline ?? 30_000;
  }

  credentials(registry: string): Promise<Credentials | undefined> {
    return this.#loginIn(registry, this.#options.dockerConfig);
  }

  /**
   * Reads the login to a registry. Undefined also where what keeps the login fails: Docker goes on without it, too,
   * and public images need none.
   */
  #loginIn(registry: string, folder: string | undefined): Promise<Credentials | undefined> {
    const key = `${folder ?? ''} ${registry}`;
    const found = this.#logins.get(key) ?? this.#readLogin(registry, folder);
    this.#logins.set(key, found);
    return found;
  }

  async #readLogin(registry: string, folder: string | undefined): Promise<Credentials | undefined> {
    try {
      return await storedCredentials(registry, folder, this.#options.helperDeadline);
    } catch (error) {
      if (!(error instanceof LockageError)) throw error;
      this.#withoutLogin.set(registry, error);
      return undefined;
    }
  }

  /** Returns the login that hosts get; where a folder for these is given, never another one. */
  pullCredentials(registry: string): Promise<Credentials | undefined> {
    return this.#loginIn(registry, this.#options.pullConfig ?? this.#options.dockerConfig);
  }

  /** Sends a request and reads the answer. Throws LockageError, naming the registry and what to do. */
  async request(reference: Reference, request: RegistryRequest): Promise<HttpAnswer> {
    const { registry, name } = reference;
    const url = new URL(`${this.baseUrl(registry)}/v2/${name}/${request.path}`);
    const trust = await this.trust(registry);
    const answer = await this.authorized(reference, actionsOf(request), (authorization) =>
      this.#send(`the registry ${registry}`, url, { ...request, ...(trust ? { trust } : {}) }, authorization),
    );
    if (request.method === 'HEAD' && withoutHead.includes(answer.status)) return this.#asGet(reference, request);
    const fine = (answer.status >= 200 && answer.status < 300) || request.accept?.includes(answer.status);
    if (!fine) throw await this.refusal(reference, request, answer);
    return answer;
  }

  /** Asks for what a registry does not tell by a HEAD request, and reads no more than the head of the answer. */
  async #asGet(reference: Reference, request: RegistryRequest): Promise<HttpAnswer> {
    const end = new AbortController();
    const signals = [end.signal, ...(this.#options.signal ? [this.#options.signal] : [])];
    const asked = { ...request, method: 'GET' } as const;
    const { body, ...answer } = await this.stream(reference, asked, AbortSignal.any(signals), request.accept);
    body.on('error', () => undefined).destroy();
    end.abort();
    const whole = { ...answer, body: Buffer.alloc(0) };
    const fine = (answer.status >= 200 && answer.status < 300) || request.accept?.includes(answer.status);
    if (!fine) throw await this.refusal(reference, asked, whole);
    return whole;
  }

  /** Returns whom a registry is trusted by; undefined for one without TLS. */
  async trust(registry: string): Promise<Trust | undefined> {
    return this.#isPlain(registry) ? undefined : trustIn(registry);
  }

  /**
   * Returns a blob or manifest as a stream, whatever its size, until `signal` aborts. The caller handles statuses
   * other than 401, 403, 429 and 5xx. Throws LockageError.
   */
  async stream(
    reference: Reference,
    request: Pick<RegistryRequest, 'method' | 'path' | 'headers'>,
    signal: AbortSignal,
    accept: readonly number[] = [],
  ): Promise<HttpStream> {
    const { registry, name } = reference;
    const url = new URL(`${this.baseUrl(registry)}/v2/${name}/${request.path}`);
    const trust = await this.trust(registry);
    const answer = await this.authorized(reference, actionsOf(request), (authorization) =>
      this.#repeated(
        `the registry ${registry}`,
        async () => {
          const found = await this.#open(
            url,
            { ...request, headers: withAuthorization(request, authorization), ...(trust ? { trust } : {}) },
            signal,
          );
          if (isBusy(found.status) || found.status === 401) found.body.destroy();
          return found;
        },
        signal,
      ),
    );
    const isRefusal = [401, 403].includes(answer.status) || isBusy(answer.status);
    if (!isRefusal || accept.includes(answer.status)) return answer;
    answer.body.destroy();
    throw await this.refusal(reference, request, { ...answer, body: Buffer.alloc(0) });
  }

  /** Sends a request with the credentials that the registry asks for. `actions` as tokens name them: `pull,push`. */
  async authorized<T extends HttpHead>(
    reference: Reference,
    actions: string,
    send: (authorization: string | undefined) => Promise<T>,
  ): Promise<T> {
    const { repository, registry } = reference;
    const key = `${repository} ${actions}`;
    const answer = await send(this.#authorization.get(key));
    // The login is for the registry: where it redirects to may ask for none.
    if (answer.status !== 401 || answer.at.origin !== new URL(this.baseUrl(registry)).origin) return answer;
    const header = await this.#authorize(reference, actions, answer.header('www-authenticate') ?? '');
    if (header === undefined) return answer;
    const again = await send(header);
    if (again.status !== 401) this.#authorization.set(key, header);
    return again;
  }

  /** Returns the URL under which a registry's API lies. */
  baseUrl(registry: string): string {
    const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
    return `${this.#isPlain(registry) ? 'http' : 'https'}://${host}`;
  }

  #isPlain(registry: string): boolean {
    const loopback = /^(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(registry);
    return loopback || (this.#options.insecure?.includes(registry) ?? false);
  }

  /** Returns the header that a 401 asks for; undefined when this machine has no credentials for it. */
  async #authorize(reference: Reference, actions: string, header: string): Promise<string | undefined> {
    const { registry } = reference;
    const credentials = await this.credentials(registry);
    const isPlain = this.#isPlain(registry);
    const trust = await this.trust(registry);
    const send: Demand['send'] = (server, url, request, authorization) =>
      this.#send(server, url, { ...request, ...(trust ? { trust } : {}) }, authorization);
    return authorizationFor({ reference, actions, header, credentials, isPlain, send });
  }

  #send(server: string, url: URL, request: HttpRequest, authorization: string | undefined): Promise<HttpAnswer> {
    return this.#repeated(server, () => this.#once(url, request, authorization));
  }

  /** Sends one request, and retries while the server is busy or broken. All requests made here may be repeated. */
  async #repeated<T extends HttpHead>(
    server: string,
    once: () => Promise<T>,
    signal = this.#options.signal,
  ): Promise<T> {
    const patient = signal ? { signal } : {};
    for (let attempt = 1; ; attempt++) {
      const last = attempt === attempts;
      try {
        const answer = await once();
        if (last || !isBusy(answer.status)) return answer;
        await sleep(pause(attempt, answer.header('retry-after')), undefined, patient);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (last || !isPassing(error)) throw unreachable(server, error);
        await sleep(pause(attempt, undefined), undefined, patient);
      }
    }
  }

  /** Opens an answer. The deadline is for its beginning: how long the rest takes depends on its size. */
  async #open(url: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpStream> {
    const limit = new Deadline({ deadline: this.#deadline, signal });
    try {
      return await open(url, request, limit.signal);
    } catch (error) {
      throw limit.passed ? noAnswer(this.#deadline, error) : error;
    } finally {
      limit.stopClock();
    }
  }

  async #once(url: URL, request: HttpRequest, authorization: string | undefined): Promise<HttpAnswer> {
    const limit = new Deadline({ deadline: this.#deadline, signal: this.#options.signal });
    try {
      const headers = withAuthorization(request, authorization);
      return await exchange(url, { ...request, headers }, limit.signal);
    } catch (error) {
      throw limit.passed ? noAnswer(this.#deadline, error) : error;
    } finally {
      limit.release();
    }
  }

  /** Makes the error for an answer that is none: what the registry refuses, and what to do. */
  async refusal(
    reference: Reference,
    request: { readonly method: string; readonly path: string },
    answer: HttpAnswer,
  ): Promise<LockageError> {
    const { registry, name } = reference;
    const what = `${request.method} ${name}/${request.path}`;
    const details = [`${what}: ${answer.status} ${errorText(answer.body)}`.trim()];
    if (answer.status === 401 || answer.status === 403) {
      const known = (await this.credentials(registry)) !== undefined;
      const message = known
        ? `${registry} refuses this machine's credentials for ${name}`
        : `${registry} demands a login`;
      const problem = this.#withoutLogin.get(registry);
      return new LockageError(message, {
        details: [...details, ...(problem ? [problem.message, ...problem.details] : [])],
        hint: problem?.hint ?? `Log in with \`docker login ${registry}\`.`,
      });
    }
    if (answer.status === 404) {
      return new LockageError(`${registry} has no ${request.path.replace(/^\w+\//, '')} of ${name}`, {
        details,
        hint: 'Check the repository and the version; a clean-up of the registry may have removed it.',
      });
    }
    return new LockageError(`${registry} failed: ${answer.status}`, { details, hint: 'Try again later.' });
  }
}

/** Returns what a token has to allow. */
function actionsOf({ method }: Pick<RegistryRequest, 'method'>): string {
  return method === 'DELETE' ? 'pull,delete' : 'pull';
}

function withAuthorization({ headers }: HttpRequest, authorization: string | undefined): Record<string, string> {
  return { ...headers, ...(authorization === undefined ? {} : { Authorization: authorization }) };
}

function noAnswer(deadline: number, cause: unknown): Error {
  return new Error(`no answer within ${deadline / 1000} s`, { cause });
}
