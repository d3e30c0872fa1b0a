/**
 * Databases for tests that `lockage test` runs. It has no dependencies, and knows nothing of Lockage but two variables.
 *
 *   import { withDatabase } from 'lockage/testing';
 *   test('a visit is counted', () => withDatabase(async ({ url }) => { … }));
 */
import { request } from 'node:http';

/** A database as it was baked, which nobody else has; what is done to it, nobody finds after. */
export interface TestDatabase {
  /** `postgres://…`, `mysql://…` or `redis://…`, with its password */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** variables that the clients of its kind read by themselves: `PGHOST`, `PGPORT` and so on */
  readonly variables: Readonly<Record<string, string>>;
  /** Gives it back: its data is gone. A process that ends gives back all that it has. */
  release(): void;
}

/** Milliseconds to wait for one: the machine may be busy. */
const timeout = 120_000;

/** Takes a database that only this test has. Throws Error where no `lockage test` runs this, or it has none to give. */
export function takeDatabase(): Promise<TestDatabase> {
  const { LOCKAGE_DATABASES: server } = process.env;
  if (!server) throw new Error('no `lockage test` runs this: run it as `lockage test -- COMMAND`');
  return new Promise((resolve, reject) => {
    // The answer is not ended: the database is this process's as long as it is open. So no agent may keep it alive, or close it.
    const asked = request(server, { method: 'POST', agent: false }, (response) => {
      clearTimeout(late);
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (!text.endsWith('\n')) return;
        const content = JSON.parse(text) as Omit<TestDatabase, 'release'> & { readonly error?: string };
        if (response.statusCode !== 200)
          return reject(new Error(`no database: ${content.error ?? response.statusCode}`));
        // A test runner must end although a test has not given its database back.
        response.socket.unref();
        resolve({ ...content, release: () => void response.destroy() });
      });
      response.on('error', () => undefined);
    });
    const late = setTimeout(() => asked.destroy(new Error(`no database within ${timeout / 1000} s`)), timeout);
    asked.on('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
    asked.end();
  });
}

/** Runs a test with a database of its own, and gives that back whatever happens. Returns what the test returns. */
export async function withDatabase<T>(work: (database: TestDatabase) => Promise<T>): Promise<T> {
  const database = await takeDatabase();
  try {
    return await work(database);
  } finally {
    database.release();
  }
}

/**
 * Returns the URL of the database of this worker of Vitest, Jest or pytest, which keeps it from test to test. Throws Error where
 * there is none.
 */
export function workerDatabaseUrl(variables: NodeJS.ProcessEnv = process.env): string {
  const { VITEST_POOL_ID, JEST_WORKER_ID, PYTEST_XDIST_WORKER } = variables;
  const xdist = PYTEST_XDIST_WORKER === undefined ? undefined : Number(PYTEST_XDIST_WORKER.replace('gw', '')) + 1;
  const number = VITEST_POOL_ID ?? JEST_WORKER_ID ?? xdist ?? 1;
  const url = variables[`LOCKAGE_DATABASE_URL_${number}`];
  if (url) return url;
  throw new Error(
    `there is no LOCKAGE_DATABASE_URL_${number}: run it as \`lockage test --parallel WORKERS -- COMMAND\``,
  );
}
