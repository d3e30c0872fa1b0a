import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { freeSubnet } from '../../../pipelines/hosts/address-pools.ts';

const tiny = [{ base: '172.80.0.0/23', size: 24 }];
const builtIn = [
  ...Array.from({ length: 15 }, (_, index) => `172.${17 + index}.0.0/16`),
  ...Array.from({ length: 16 }, (_, index) => `192.168.${index * 16}.0/20`),
];

test.each([
  ['nothing is used', tiny, [], '172.80.0.0/24'],
  ['the first is used', tiny, ['172.80.0.0/24'], '172.80.1.0/24'],
  ['the second is used', tiny, ['172.80.1.0/24'], '172.80.0.0/24'],
  ['a part of the first is used', tiny, ['172.80.0.128/25'], '172.80.1.0/24'],
  ['all are used', tiny, ['172.80.1.0/24', '172.80.0.0/24'], undefined],
  ['one network has more than the pool', tiny, ['172.80.0.0/16'], undefined],
  ['others are used', tiny, ['10.0.0.0/8', 'fd00::/64', '172.79.0.0/16'], '172.80.0.0/24'],
  ['a second pool is there', [...tiny, { base: '10.9.0.0/16', size: 16 }], ['172.80.0.0/23'], '10.9.0.0/16'],
  [
    'pools are no pools',
    [
      { base: '', size: 24 },
      { base: '1.2.3.4/99', size: 24 },
      { base: '10.0.0.0/8', size: 0 },
    ],
    [],
    undefined,
  ],
  ['Docker has its own pools', undefined, ['172.17.0.0/16'], '172.18.0.0/16'],
  ['all of Docker’s own are used but one', undefined, builtIn.slice(0, -1), '192.168.240.0/20'],
  ['all of Docker’s own are used', undefined, builtIn, undefined],
  ['a pool has millions of pieces', [{ base: '10.0.0.0/8', size: 30 }], ['10.0.0.0/9'], '10.128.0.0/30'],
])('where %s', (_case, pools, used, subnet) => {
  expect(freeSubnet(pools, used)).toBe(subnet);
});

test('what is free overlaps with nothing that is used', () => {
  const piece = fc.integer({ min: 0, max: 15 });
  fc.assert(
    fc.property(fc.array(piece), (taken) => {
      const free = freeSubnet(
        [{ base: '10.1.0.0/20', size: 24 }],
        taken.map((each) => `10.1.${each}.0/24`),
      );
      const left = Array.from({ length: 16 }, (_, index) => index).filter((each) => !taken.includes(each));
      expect(free).toBe(left.length === 0 ? undefined : `10.1.${left[0]}.0/24`);
    }),
  );
});
