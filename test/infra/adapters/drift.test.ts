import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DriftAdapter } from '../../../infra/adapters/drift.ts';
import { host } from '../../pipelines/model/values.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'lockage-drift-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const evidence = [
  {
    host: host('prod-1'),
    what: 'shop-prod-web-1',
    drift: [{ member: 'files', expected: 'as in the image', actual: '/etc/hunter2', what: 'shop-prod-web-1' }],
  },
];

/** An adapter whose hosts cannot be reached. */
function adapter(): DriftAdapter {
  const engine = async () => {
    throw new Error('prod-1 does not answer \u001B[2J hunter2');
  };
  const mask = (text: string) => text.replaceAll('hunter2', '[secret]');
  return new DriftAdapter({ app: 'shop', folder, mask, session: { connections: { engine } }, records: {} } as never);
}

describe('what is kept of a container before it goes', () => {
  test('is its drift and what can be read of it, without secrets, for its owner alone', async () => {
    const kept = await adapter().keep('prod', evidence, { output: true });
    const file = join(kept, 'prod-1 shop-prod-web-1.txt');
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('files: expected as in the image, found /etc/[secret]');
    expect(text).toContain(String.raw`(prod-1 does not answer \u001b[2J [secret])`);
    expect([statSync(file).mode & 0o777, statSync(kept).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  test('has no output where not all secrets in it are known', async () => {
    const kept = await adapter().keep('prod', evidence, { output: false });
    expect(readFileSync(join(kept, 'prod-1 shop-prod-web-1.txt'), 'utf8')).toContain('(not kept)');
  });

  test('is bounded: the oldest go', async () => {
    for (let day = 10; day < 40; day += 1) mkdirSync(join(folder, 'prod', `2025-01-${day}`), { recursive: true });
    await adapter().keep('prod', evidence, { output: true });
    const left = readdirSync(join(folder, 'prod'));
    expect([left.length, left.includes('2025-01-39'), left.includes('2025-01-10')]).toEqual([20, true, false]);
  });

  test('is refused where it cannot be written', async () => {
    writeFileSync(join(folder, 'prod'), '');
    await expect(adapter().keep('prod', evidence, { output: true })).rejects.toMatchObject({
      message: expect.stringContaining('what drifted in prod cannot be kept'),
      hint: expect.stringContaining('can be written'),
    });
  });
});
