import { expect, test } from 'vitest';
import { expiryWarnings, type Certificate } from '../../../pipelines/hosts/certificates.ts';

const now = Date.parse('2026-11-21T12:00:00.000Z');
const ends = (expires: string, use: Certificate['use'] = 'server') => expiryWarnings([{ use, expires }], now);

test.each([
  ['2026-12-21T12:00:00.000Z', []],
  ['2026-12-21T11:59:59.000Z', ['the server certificate expires on 2026-12-21, in 29 days']],
  ['2026-11-22T12:00:00.000Z', ['the server certificate expires on 2026-11-22, in 1 day']],
  ['2026-11-22T11:00:00.000Z', ['the server certificate expires on 2026-11-22, within a day']],
  ['2026-11-20T00:00:00.000Z', ['the server certificate expired on 2026-11-20']],
])('a certificate until %s', (expires, warnings) => {
  expect(ends(expires)).toEqual(warnings);
});

test('each certificate is told by whose it is', () => {
  expect(ends('2026-11-30T12:00:00.000Z', 'CA')[0]).toContain('the CA certificate expires');
  expect(ends('2026-11-30T12:00:00.000Z', 'client')[0]).toContain('the client certificate expires');
  expect(expiryWarnings([], now)).toEqual([]);
});
