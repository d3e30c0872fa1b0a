import { describe, expect, test } from 'vitest';
import { environmentNames, targetKindNamed, targetKinds, type TargetKind } from '../../../scripts/demo/targets.ts';

test.each([
  ['swarm', { name: 'swarm' }],
  ['lcx', { problem: 'no targets "lcx", did you mean lxc?' }],
  ['k8s', { problem: `no targets "k8s": there are ${Object.keys(targetKinds).join(', ')}` }],
])('targets of kind %s', (word, expected) => {
  expect(targetKindNamed(word)).toEqual(expected);
});

describe.each(Object.entries<TargetKind>(targetKinds))('the kind %s', (_name, { lab, machines }) => {
  test.each(environmentNames)('has hosts of the lab, or machines of its own, for %s', (environment) => {
    expect([lab[environment], machines?.[environment]].filter((each) => each !== undefined)).toHaveLength(1);
  });
});
