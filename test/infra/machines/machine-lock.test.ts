import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withMachineLock } from '../../../infra/machines/machine-lock.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-alone-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const places = () => ({ machines: join(folder, 'machines'), keys: '', loadBalancers: '', images: '' });
const prod = { name: 'prod', what: 'the machines of prod' };

test('one command at a time works on the machines of an environment, and a failed one leaves nothing', async () => {
  const steps: string[] = [];
  const work = (name: string) => async () => {
    steps.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    steps.push(`${name} ends`);
    if (name === 'first') throw new Error('no');
  };
  const first = withMachineLock(places(), prod, work('first'));
  const second = withMachineLock(places(), prod, work('second'));
  await expect(first).rejects.toThrow('no');
  await second;
  const [one] = steps;
  expect(steps).toEqual(
    one === 'first begins'
      ? ['first begins', 'first ends', 'second begins', 'second ends']
      : ['second begins', 'second ends', 'first begins', 'first ends'],
  );
  expect(readdirSync(join(folder, 'machine-locks'))).toEqual([]);
});

test('one that has to wait too long is told so', { timeout: 30_000 }, async () => {
  let end = () => undefined as void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  let long: Promise<void> | undefined;
  await new Promise<void>((begun) => {
    long = withMachineLock(places(), prod, () => (begun(), ended));
  });
  await expect(withMachineLock(places(), prod, async () => undefined)).rejects.toMatchObject({
    name: 'LockedError',
    message: 'another command is at work on the machines of prod',
  });
  end();
  await long;
});
