import type { Certificate } from '../../../pipelines/hosts/certificates.ts';
import { within } from '../../system/deadline.ts';
import type { EngineAddress } from '../address.ts';
import { answers } from './answers.ts';
import { EngineError } from './errors.ts';
import type { Shape } from '../../system/shapes.ts';
import { Transport, type TransportOptions } from './transport.ts';
import type { CallOptions, EngineInfo, EngineVersion } from './types.ts';
import { parsedJson, type Answer, type Call } from './wire.ts';

const oldestApi = '1.41';
const reaching = 'reach the Docker Engine';
type Rest = Omit<Call, 'what' | 'method' | 'path'>;

/** The connection to one engine: the API version both sides speak, and calls that are prefixed with it. */
export class EngineApi {
  readonly host: string;
  protected readonly transport: Transport;
  #prefix: Promise<string> | undefined;
  #id: Promise<string> | undefined;

  constructor(options: TransportOptions) {
    this.host = options.host;
    this.transport = new Transport(options);
  }

  /** The address where the engine is reached; other programs may use it too while the connection lives. */
  get address(): EngineAddress {
    return this.transport.address;
  }

  /** The certificates that the connection depends on; none unless it uses TLS. */
  get certificates(): readonly Certificate[] {
    return 'tcp' in this.address ? (this.address.tcp.tls?.certificates ?? []) : [];
  }

  /** Closes idle connections. */
  close(): void {
    this.transport.close();
  }

  async ping(options: CallOptions = {}): Promise<void> {
    await this.transport.request({ what: reaching, method: 'GET', path: '/_ping', ...options });
  }

  /** Finds out whether the engine answers, and which version of the API it speaks. */
  async greet(options: CallOptions = {}): Promise<void> {
    await this.prefix(options);
  }

  async version(options: CallOptions = {}): Promise<EngineVersion> {
    const call = { what: reaching, method: 'GET', path: '/version', ...options } as const;
    return this.parsed<EngineVersion>(call.what, await this.transport.request(call), answers.version);
  }

  async info(options: CallOptions = {}): Promise<EngineInfo> {
    return this.json<EngineInfo>('ask about the engine', 'GET', '/info', options, answers.info);
  }

  /** Returns what names this engine, the same for whoever asks, asked once; a failure is not remembered. */
  id(options: CallOptions = {}): Promise<string> {
    this.#id ??= this.info(options).then(
      ({ ID = '' }) => ID,
      (error: unknown) => {
        this.#id = undefined;
        throw error;
      },
    );
    return this.#id;
  }

  protected async call(what: string, method: Call['method'], path: string, rest: Rest): Promise<Answer> {
    return this.transport.request({ what, method, path: `${await this.prefix(rest)}${path}`, ...rest });
  }

  protected async json<T>(what: string, method: Call['method'], path: string, rest: Rest, shape: Shape): Promise<T> {
    return this.parsed<T>(what, await this.call(what, method, path, rest), shape);
  }

  /** Returns undefined for 404. */
  protected async find<T>(what: string, path: string, rest: Rest, shape: Shape): Promise<T | undefined> {
    const answer = await this.call(what, 'GET', path, { accept: [404], ...rest });
    return answer.status === 404 ? undefined : this.parsed<T>(what, answer, shape);
  }

  /** Returns an answer's JSON, in its shape. Throws EngineError. */
  protected parsed<T>(what: string, { body }: Answer, shape: Shape): T {
    return parsedJson<T>(this.host, what, body, shape);
  }

  /** Returns the version prefix (`/v1.41`), agreed on once, no later than the caller waits; a failure is not remembered. */
  protected prefix(options: CallOptions): Promise<string> {
    this.#prefix ??= this.#negotiate().catch((error: unknown) => {
      this.#prefix = undefined;
      throw error;
    });
    return within(this.#prefix, options, (deadline) => {
      return new EngineError(this.host, reaching, `no answer within ${deadline / 1000} s`);
    });
  }

  async #negotiate(): Promise<string> {
    const { ApiVersion, MinAPIVersion, Version } = await this.version();
    if (compareVersions(ApiVersion, oldestApi) < 0) {
      const reason = `${Version} is too old: it speaks API ${ApiVersion}, not ${oldestApi}`;
      const hint = `Upgrade Docker on ${this.host} to 20.10 or newer.`;
      throw new EngineError(this.host, 'use its Docker Engine', reason, { hint });
    }
    const atLeast = MinAPIVersion ?? oldestApi;
    return `/v${compareVersions(atLeast, oldestApi) > 0 ? atLeast : oldestApi}`;
  }
}

function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}
