import { afterEach, beforeEach, expect, test } from 'vitest';
import { LockageError } from '../../../../pipelines/errors.ts';
import { isSshHost } from '../../../../pipelines/model/target.ts';
import { acceptKeys } from '../../../../scripts/cli/commands/host-key.ts';
import { hostWith } from '../../../pipelines/model/values.ts';

const hosts = ['prod-1', 'prod-2']
  .map((name) => hostWith(name, { url: `ssh://root@${name}.example.com` }))
  .filter(isSshHost);

let [trusted, pinned]: [string[], Record<string, string[]>] = [[], {}];
let answers: boolean[] = [];
const connections = {
  scanHostKeys: async ({ name }: { name: string }) => ({
    address: name,
    keys: [{ type: 'ssh-ed25519', fingerprint: `SHA256:${name}` }],
  }),
  acceptedHostKeys: async ({ name }: { name: string }) => pinned[name] ?? [],
  trustHostKey: async ({ name }: { name: string }) => void trusted.push(name),
};
const terminal = {
  line: () => undefined,
  confirm: async () => {
    if (!answers.shift()) throw new LockageError('not confirmed: nothing was changed');
  },
};
const accept = (keys?: readonly string[]) => acceptKeys({ connections, terminal } as never, hosts, keys);

const { isTTY } = process.stdin;
beforeEach(() => {
  [trusted, pinned, answers] = [[], {}, []];
  process.stdin.isTTY = true;
});
afterEach(() => void (process.stdin.isTTY = isTTY));

test('a no for the second host after a yes for the first pins neither', async () => {
  answers = [true, false];
  await expect(accept()).rejects.toThrow('not confirmed: nothing was changed');
  expect(trusted).toEqual([]);
  answers = [true, true];
  await accept();
  expect(trusted).toEqual(['prod-1', 'prod-2']);
});

test('a host with another key than its pinned one keeps every host from being asked about', async () => {
  pinned = { 'prod-2': ['SHA256:other'] };
  answers = [true];
  await expect(accept()).rejects.toThrow('prod-2: prod-2 shows another key than the one that is pinned');
  expect([trusted, answers]).toEqual([[], [true]]);
});

test('keys that are accepted for some hosts are pinned, and the others named', async () => {
  await expect(accept(['SHA256:prod-1'])).rejects.toMatchObject({
    name: 'PartialError',
    message: 'no key was accepted for prod-2',
  });
  expect(trusted).toEqual(['prod-1']);
});
