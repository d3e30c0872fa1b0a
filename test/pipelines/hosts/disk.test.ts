import { expect, test } from 'vitest';
import { diskWarnings } from '../../../pipelines/hosts/disk.ts';

test.each([
  [{ free: 30e9, total: 100e9 }, []],
  [undefined, []],
  [{ free: 9e9, total: 100e9 }, ['9.0 GB (9 %)']],
  // A tenth of a small disk has no room for one image.
  [{ free: 0.8e9, total: 4e9 }, ['0.8 GB (20 %)']],
])('a disk with %o is warned of where it is nearly full', (disk, expected) => {
  expect(diskWarnings(disk)).toEqual(
    expected.map((free) => `the disk of its engine is nearly full, ${free} are free: \`lockage prune\` makes room`),
  );
});
