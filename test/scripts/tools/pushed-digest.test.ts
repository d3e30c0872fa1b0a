import { expect, test } from 'vitest';
import { digestOfRepository, pushedDigest } from '../../../scripts/tools/pushed-digest.ts';

const [a, b] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`] as const;

test('the digest of a push is the one said of its tag', () => {
  const output = `The push refers to repository [r/shop]\n5f70bf18a086: Pushed\r\n1.4.0: digest: ${a} size: 528\r\n`;
  expect(pushedDigest(output, '1.4.0')).toBe(a);
});

test.each([
  ['of another tag', `1.4.1: digest: ${a} size: 528\n`],
  ['of none', `latest: Pushed\n${a}\n`],
  ['of two kinds', `1.4.0: digest: ${a} size: 1\n1.4.0: digest: ${b} size: 1\n`],
  ['that is cut off', `1.4.0: digest: ${a.slice(0, 40)}`],
])('no digest is taken from output %s', (_what, output) => {
  expect(pushedDigest(output, '1.4.0')).toBeUndefined();
});

test('of an engine’s list, the digest of the repository counts where there is one alone', () => {
  const listed = (...names: readonly unknown[]) => digestOfRepository(JSON.stringify(names), 'r/shop');
  expect(listed(`other/shop@${b}`, `r/shop@${a}`)).toBe(a);
  expect(listed(null, 5, `r/shop@${a}`)).toBe(a);
  expect(listed(`r/shop@${b}`, `r/shop@${a}`)).toBeUndefined();
});

test.each(['[]', 'null', '{}', '', 'Emulate Docker CLI using podman.', `"r/shop@${a}"`])(
  'no digest is taken from %j in the place of that list',
  (printed) => {
    expect(digestOfRepository(printed, 'r/shop')).toBeUndefined();
  },
);
