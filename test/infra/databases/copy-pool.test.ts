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

  async drop(): Promise<void> {}

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
  return { source, stop, pool: new CopyPool(source, size, atOnce, stop.signal) };
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
