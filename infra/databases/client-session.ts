import { PassThrough } from 'node:stream';
import type { Login } from '../../pipelines/databases/kinds.ts';
import { messageOf, WorkloadFailedError } from '../../pipelines/errors.ts';
import type { Engine } from '../docker/api/client.ts';
import { LineReader } from '../docker/api/frames.ts';

/** Milliseconds for one statement, and for the session that sends them. */
const statementTimeout = 120_000;
const sessionTimeout = 24 * 3600_000;

/**
 * A session of PostgreSQL's own client inside a container, over its socket: statements one after another, without the time that
 * starting a program in the container takes.
 */
export class ClientSession {
  readonly #input = new PassThrough();
  readonly #waiting = new Map<number, (failure: string | undefined) => void>();
  #number = 0;
  #ended: string | undefined;

  /** `first`: lines for the client that come before all statements. */
  constructor(
    engine: Engine,
    container: string,
    { user, database }: Login,
    signal: AbortSignal,
    first: readonly string[] = [],
  ) {
    const lines = new LineReader();
    const client = ['psql', '-X', '-q', '-A', '-t', '-w', '-h', '/tmp', '-U', user, '-d', database];
    const session = engine.exec(container, client, {
      stdin: this.#input,
      deadline: sessionTimeout,
      signal,
      maxOutput: 4096,
      onOutput: (stream, data) => {
        if (stream === 'stdout') for (const line of lines.read(data)) this.#answered(line);
      },
    });
    for (const line of first) this.#input.write(`${line}\n`);
    session.then(
      ({ stderr }) => this.#end(stderr.trim().split('\n').at(-1) || 'its session has ended'),
      (error: unknown) => this.#end(messageOf(error)),
    );
  }

  /** Runs a statement to its end. Throws LockageError with the server's words. */
  run(statement: string): Promise<void> {
    const number = (this.#number += 1);
    return new Promise((resolve, reject) => {
      const finish = (failure: string | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(number);
        if (failure === undefined) resolve();
        else reject(new WorkloadFailedError(`PostgreSQL refuses: ${failure}`));
      };
      const timer = setTimeout(() => finish(`no answer within ${statementTimeout / 1000} s`), statementTimeout);
      if (this.#ended !== undefined) return finish(this.#ended);
      this.#waiting.set(number, finish);
      this.#input.write(`${statement}\n\\echo answer ${number} :ERROR :LAST_ERROR_MESSAGE\n`);
    });
  }

  /** Ends the session. */
  close(): void {
    this.#input.end();
  }

  #answered(line: string): void {
    const [, number, error, message] = /^answer (\d+) (true|false) ?(.*)$/.exec(line) ?? [];
    if (number !== undefined) this.#waiting.get(Number(number))?.(error === 'true' ? (message ?? '') : undefined);
  }

  #end(why: string): void {
    this.#ended = why;
    for (const finish of this.#waiting.values()) finish(why);
  }
}
