import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { TemplateCopies } from '../../../infra/databases/template-copies.ts';
import type { Engine, ExecOptions, ExecResult } from '../../../infra/docker/api/client.ts';

/** PostgreSQL's client in a fork, as far as it makes and drops databases: it copies none to which another session is connected. */
class Server {
  readonly databases = new Set(['postgres', 'shop', 'template0', 'template1']);
  /** database of each session */
  readonly #sessions = new Map<symbol, string>();

  readonly engine = {
    exec: async (_: string, argv: readonly string[], { stdin, onOutput }: ExecOptions): Promise<ExecResult> => {
      const session = Symbol();
      const database = argv[argv.indexOf('-d') + 1] ?? '';
      const ended = { code: 0, stdout: '', stderr: '', truncated: false, wrote: true };
      if (!this.databases.has(database)) return { ...ended, code: 2, stderr: `database "${database}" does not exist` };
      this.#sessions.set(session, database);
      let failure: string | undefined;
      for await (const chunk of stdin as Readable) {
        for (const line of String(chunk).split('\n')) {
          const [, number] = /^\\echo answer (\d+) /.exec(line) ?? [];
          if (number === undefined) failure = this.#run(session, line);
          else onOutput?.('stdout', Buffer.from(`answer ${number} ${failure !== undefined} ${failure ?? ''}\n`));
        }
      }
      this.#sessions.delete(session);
      return ended;
    },
  } as unknown as Engine;

  used(): string[] {
    return [...this.#sessions.values()];
  }

  #run(session: symbol, line: string): string | undefined {
    const [, made = '', source] = /^CREATE DATABASE "(\w+)" TEMPLATE "?(\w+)"?/.exec(line) ?? [];
    const [, dropped = ''] = /^DROP DATABASE IF EXISTS "(\w+)"/.exec(line) ?? [];
    this.databases.delete(dropped);
    if (source === undefined) return undefined;
    const isUsed = [...this.#sessions].some(([other, database]) => other !== session && database === source);
    if (isUsed) return `source database "${source}" is being accessed by other users`;
    this.databases.add(made);
    return undefined;
  }
}

test.each(['shop', 'postgres'])('templates are made of a database that is called %s, too', async (database) => {
  const server = new Server();
  const parent = { name: 'fork', host: '127.0.0.1', port: 1, user: 'shop', password: 'p', database };
  const copies = await TemplateCopies.open(server.engine, parent, new AbortController().signal);
  const [one, two] = [await copies.make(), await copies.make()];
  await copies.drop(one);
  expect([server.databases.has(one.database), server.databases.has(two.database)]).toEqual([false, true]);
  // What tests make themselves is copied from there.
  expect(server.used()).not.toContain('template1');
  copies.close();
});
