import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { DatabasesAdapter } from '../../../infra/adapters/databases.ts';
import type { Engine } from '../../../infra/docker/api/client.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import type { Accessory, Project } from '../../../pipelines/model/environment.ts';
import { accessory, environment, host } from '../../pipelines/model/values.ts';

/** An engine with the image of a PostgreSQL, whose account and database are called as its entrypoint was told to. */
class Postgres {
  /** name of a secret → what its file holds */
  readonly secrets: Record<string, string> = {};
  readonly #env: Record<string, string> = {};
  #labels: Readonly<Record<string, string>> | undefined;

  /** What its entrypoint takes a name from: a variable, or the file of a secret. */
  given(variable: string): string | undefined {
    const file = this.#env[`${variable}_FILE`];
    return this.#env[variable] ?? (file === undefined ? undefined : this.secrets[file.replace('/run/secrets/', '')]);
  }

  get user(): string {
    return this.given('POSTGRES_USER') ?? 'postgres';
  }

  readonly engine = {
    host: 'here',
    createNetwork: async () => undefined,
    createVolume: async () => undefined,
    createContainer: async (_: string, { Env }: { readonly Env?: readonly string[] }) => {
      for (const line of Env ?? []) this.#env[line.split('=')[0] ?? ''] = line.slice(line.indexOf('=') + 1);
    },
    putArchive: async (
      _: string,
      path: string,
      entries: readonly { readonly path: string; readonly content: string }[],
    ) => {
      if (path === '/run/secrets') for (const entry of entries) this.secrets[entry.path] = entry.content;
    },
    startContainer: async () => undefined,
    stopContainer: async () => undefined,
    removeContainer: async () => undefined,
    inspectContainer: async () => ({
      State: { Running: true, ExitCode: 0 },
      NetworkSettings: { Ports: { '5432/tcp': [{ HostPort: '40000' }] } },
    }),
    exec: async (_: string, [program]: readonly string[]) => ({
      ...{ code: 0, stderr: '', truncated: false, wrote: true },
      stdout: program === 'stat' ? '999:999\n' : '',
    }),
    commitContainer: async (_: string, __: object, labels: Readonly<Record<string, string>>) => {
      this.#labels = labels;
    },
    inspectImage: async (name: string) => {
      const image = { Id: 'sha256:1', Os: 'linux', Architecture: 'amd64', RepoDigests: [] };
      if (name === 'postgres:16')
        return { ...image, Config: { Env: ['PGDATA=/var/lib/postgresql/data'], Cmd: ['postgres'] } };
      return this.#labels && { ...image, Config: { Labels: this.#labels } };
    },
    // A fork works once its account has got a password.
    attachContainer: async () => {
      const { user } = this;
      return new Duplex({
        read: () => undefined,
        write(chunk: Buffer, _: string, next: () => void) {
          const line = Buffer.from('lockage: ready\n');
          if (String(chunk).includes(`ALTER ROLE "${user}" `))
            this.push(Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, line.length]), line]));
          else this.destroy();
          next();
        },
      });
    },
    listContainers: async () => [],
    listNetworks: async () => [],
    listVolumes: async () => [],
    logs: async function* () {},
  } as unknown as Engine;
}

async function bakedAndForked(server: Postgres, changes: Partial<Accessory>) {
  const { signal } = new AbortController();
  const here = host('here');
  const session = { connections: { engine: async () => server.engine }, signal, progress: () => undefined };
  const adapter = new DatabasesAdapter({
    project: { app: 'shop', root: '/', repository: 'registry.example.com/shop' } as Project,
    session: session as never,
    registry: {
      resolve: () => Promise.reject(new LockageError('away')),
      tagDigest: async () => undefined,
    } as never,
    push: () => Promise.reject(new LockageError('away')),
  });
  const db = { ...accessory('db'), ...changes };
  const wanted = { environment: environment({ accessories: [db] }), accessory: db, release: undefined, host: here };
  const baked = await adapter.ensure(wanted);
  const forks = await adapter.forks(baked, here, false);
  return forks.make();
}

test.each([
  ['a file that is named', { POSTGRES_USER_FILE: '/run/secrets/DB_USER' }, ['DB_USER', 'DB_PASSWORD']],
  ['its own variable', {}, ['POSTGRES_USER', 'DB_PASSWORD']],
])(
  'a database whose user is named by a secret is baked and forked, with a stand-in for that name: %s',
  async (_, env, secrets) => {
    const server = new Postgres();
    const fork = await bakedAndForked(server, { env, secrets });
    expect([server.user, fork.user, fork.database]).toEqual(['app', 'app', 'app']);
    expect(server.secrets['DB_PASSWORD']).toMatch(/^[0-9a-f]{48}$/);
  },
);

test('a database that a secret names is forked under a stand-in, for the account that is configured', async () => {
  const server = new Postgres();
  const env = { POSTGRES_USER: 'shop', POSTGRES_DB_FILE: '/run/secrets/DB_NAME' };
  expect(await bakedAndForked(server, { env, secrets: ['DB_NAME'] })).toMatchObject({ user: 'shop', database: 'app' });
  expect(server.secrets).toEqual({ DB_NAME: 'app' });
});

test('a name in a file that nobody can know is refused before a bake, with the key', async () => {
  const server = new Postgres();
  await expect(
    bakedAndForked(server, { env: { POSTGRES_USER_FILE: '/etc/user' }, secrets: ['DB_USER'] }),
  ).rejects.toThrow('`accessories.db.env.POSTGRES_USER_FILE` is /etc/user, which is the file of none of its secrets');
  expect(server.secrets).toEqual({});
});
