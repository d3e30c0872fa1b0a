import { expect, test } from 'vitest';
import { promoteCommand } from '../../../../scripts/cli/commands/promote.ts';

test.each([
  ['a promotion', {}, '`lockage promote 1.4.0 --to ENVIRONMENT`'],
  ['a plan', { plan: true }, '`lockage plan 1.4.0 --to ENVIRONMENT`'],
])('who names no environment for %s is told the same command with one', async (_what, flags, command) => {
  await expect(promoteCommand('1.4.0', flags, new AbortController().signal)).rejects.toMatchObject({
    message: 'which environment?',
    hint: expect.stringContaining(command),
  });
});
