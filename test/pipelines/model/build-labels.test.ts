import { expect, test } from 'vitest';
import { labels as containerLabels } from '../../../infra/docker/labels.ts';
import { builderOf, buildLabels } from '../../../pipelines/model/build-labels.ts';

const made = { app: 'shop', version: '1.4.0', commit: 'a'.repeat(40), dirty: false };
const labels = buildLabels({ ...made, builder: 'alice@desk' });

test('an image that was built from exactly this says who built it', () => {
  expect(builderOf({ ...labels, vendor: 'x' }, made)).toBe('alice@desk');
});

test.each([
  ['another app', { app: 'till' }],
  ['another version', { version: '1.4.1' }],
  ['another commit', { commit: 'b'.repeat(40) }],
  ['a tree with changes', { dirty: true }],
])('an image of %s is not this one', (_what, other) => {
  expect(builderOf(buildLabels({ ...made, ...other, builder: 'alice@desk' }), made)).toBeUndefined();
});

test('nothing is the same as a tree with changes, and an image without labels is somebody’s', () => {
  const dirty = { ...made, dirty: true };
  expect(builderOf(buildLabels({ ...dirty, builder: 'alice@desk' }), dirty)).toBeUndefined();
  expect(builderOf({}, made)).toBeUndefined();
  expect(builderOf({ ...labels, 'lockage.build.builder': '' }, made)).toBeUndefined();
});

test('no label of an image is one that containers are found by', () => {
  expect(Object.keys(labels).filter((name) => Object.values<string>(containerLabels).includes(name))).toEqual([]);
});
