import { expect, test } from 'vitest';
import { CopyPool } from '../../../infra/databases/copy-pool.ts';
import type { CopySource, Fork } from '../../../infra/databases/copies.ts';

/** Copies that come, or fail, when the test says so. */
class Slow implements CopySource {
  /** how many were begun */
  begun = 0;
  readonly #under: { readonly resolve: (copy: Fork) => void; readonly reject: (error: Error) => void }[] = [];

  make(): Promise<Fork> {
    this.begun += 1;
    return new Promise((resolve, reject) => this.#under.push({ resolve, reject }));
  }

  readonly dropped: string[] = [];

  async drop({ name }: Fork): Promise<void> {
    this.dropped.push(name);
  }

  close(): void {}

  /** Ends the one that was begun first, and lets the pool take note. */
  async end(failure?: string): Promise<void> {
    const first = this.#under.shift();
    if (failure !== undefined) first?.reject(new Error(failure));
    else first?.resolve({ name: 'copy', host: '127.0.0.1', port: 1, user: 'a', password: 'b', database: 'c' });
    await new Promise(setImmediate);
  }
}

function opened(size: number, atOnce: number) {
  const source = new Slow();
  const stop = new AbortController();
  return { source, stop, pool: new CopyPool(source, { first: size, spare: size, atOnce }, stop.signal) };
}

test('nothing is tried after three failures, whatever was under way, until somebody asks again', async () => {
  const { source, pool } = opened(4, 4);
  const filled = expect(pool.fill()).rejects.toThrow('the disk is full');
  for (let count = 0; count < 6; count += 1) await source.end('the disk is full');
  await filled;
  // Four at first, and one for each of the two failures before those who wait were told.
  expect(source.begun).toBe(6);
  const taken = pool.take();
  expect(source.begun).toBe(10);
  await source.end();
  expect(await taken).toMatchObject({ name: 'copy' });
});

test('one that comes late has the pool filled again', async () => {
  const { source, pool } = opened(4, 4);
  const filled = expect(pool.fill()).rejects.toThrow('the disk is full');
  for (let count = 0; count < 3; count += 1) await source.end('the disk is full');
  await filled;
  expect(source.begun).toBe(6);
  await source.end();
  expect(source.begun).toBe(7);
});

test('after the signal no copy is begun, and everybody who waits is told', async () => {
  const { source, stop, pool } = opened(0, 1);
  const told = [pool.take(), pool.take()].map((each) => expect(each).rejects.toThrow('stopped'));
  stop.abort(new Error('stopped'));
  await source.end('stopped');
  await Promise.all(told);
  await expect(pool.take()).rejects.toThrow('stopped');
  expect(source.begun).toBe(1);
  await pool.close();
});

test('who asks a closed pool is told', async () => {
  const { source, pool } = opened(0, 1);
  await pool.close();
  await expect(pool.take()).rejects.toThrow('the databases are gone');
  expect(source.begun).toBe(0);
});

/** Makes copies pristine again, or fails to, when the test says so; all are numbered in the order in which they were made. */
class Renewing implements CopySource {
  made = 0;
  readonly dropped: string[] = [];
  readonly renewed: string[] = [];
  failure: Error | undefined;

  async make(): Promise<Fork> {
    this.made += 1;
    return { name: String(this.made), host: '127.0.0.1', port: 1, user: 'a', password: 'first', database: 'c' };
  }

  async renew(used: Fork): Promise<Fork> {
    if (this.failure) throw this.failure;
    this.renewed.push(used.name);
    return { ...used, password: 'another' };
  }

  async drop({ name }: Fork): Promise<void> {
    this.dropped.push(name);
  }

  close(): void {}
}

async function renewing() {
  const source = new Renewing();
  const pool = new CopyPool(source, { first: 2, spare: 1, atOnce: 2 }, new AbortController().signal);
  await pool.fill();
  return { source, pool };
}

test('a used copy is given to another only after it was made pristine', async () => {
  const { source, pool } = await renewing();
  const first = await pool.take();
  pool.give(first);
  await new Promise(setImmediate);
  const later = [await pool.take(), await pool.take(), await pool.take()];
  expect(later.find(({ name }) => name === first.name)).toMatchObject({ password: 'another' });
  expect({ renewed: source.renewed, dropped: source.dropped }).toEqual({ renewed: ['1'], dropped: [] });
  // Two at first and one to spare: however many tests there are.
  expect(source.made).toBe(3);
  await pool.close();
});

test('a copy that is not certain to be pristine is dropped, and another one is made', async () => {
  const { source, pool } = await renewing();
  source.failure = new Error('it hangs');
  pool.give(await pool.take());
  await new Promise(setImmediate);
  expect(source.dropped).toEqual(['1']);
  expect((await Promise.all([pool.take(), pool.take()])).map(({ name }) => name)).not.toContain('1');
  await pool.close();
});

test('who keeps more copies than there are tests at a time gets one nevertheless, and it is dropped after that', async () => {
  const { source, pool } = await renewing();
  const kept = [await pool.take(), await pool.take(), await pool.take(), await pool.take()];
  expect(new Set(kept.map(({ name }) => name)).size).toBe(4);
  for (const each of kept) pool.give(each);
  await new Promise(setImmediate);
  expect(source.dropped).toHaveLength(1);
  await pool.close();
});
