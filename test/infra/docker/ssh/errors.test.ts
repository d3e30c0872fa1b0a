import { expect, test } from 'vitest';
import { sshFailure } from '../../../../infra/docker/ssh/errors.ts';
import { sshHostOf } from '../../../../pipelines/model/target-record.ts';

const host = sshHostOf({ name: 'prod-1', url: 'ssh://web', address: '127.0.0.1' });

test.each([
  ['a line without an end', 'x'.repeat(1_000_000), [`${'x'.repeat(499)}…`]],
  ['many of them', 'y'.repeat(10_000).concat('\n').repeat(100), Array.from({ length: 5 }, () => `${'y'.repeat(499)}…`)],
  [
    'what one reads',
    'Welcome\r\n\r\nPermission denied (publickey).\r\n',
    ['Welcome', 'Permission denied (publickey).'],
  ],
])('of a host whose banner is %s, so much is shown', (_what, said, details) => {
  expect(sshFailure(host, host.endpoint, said, false).details).toEqual(details);
});
