import { expect, test } from 'vitest';
import { isIpAddress, isPrivateAddress } from '../../../pipelines/model/ip-address.ts';

test.each([
  ['10.0.0.1', true],
  ['127.0.0.1', true],
  ['192.168.7.1', true],
  ['192.169.7.1', false],
  ['172.15.0.1', false],
  ['172.16.0.1', true],
  ['172.31.255.1', true],
  ['172.32.0.1', false],
  ['169.254.1.1', true],
  ['100.63.0.1', false],
  ['100.64.0.1', true],
  ['100.128.0.1', false],
  ['203.0.113.7', false],
  ['::1', true],
  ['::ffff:10.0.0.1', true],
  ['::ffff:8.8.8.8', false],
  ['fd00:1::7', true],
  ['FE80::1', true],
  ['2001:db8::1', false],
])('%s is private: %j', (address, isPrivate) => {
  expect([isIpAddress(address), isPrivateAddress(address)]).toEqual([true, isPrivate]);
});

test.each([
  'prod-1.example.com',
  '10.0.0.256',
  '010.0.0.1',
  '1.2.3',
  'web-1:80',
  'a:b',
  '10.0.0.7:80',
  '[::1]',
  '::1::',
  '',
])('%j is no address', (text) => {
  expect(isIpAddress(text)).toBe(false);
});
