import { expect, test } from 'vitest';
import { testCommand } from '../../../../scripts/cli/commands/test.ts';

const flags = { parallel: '2', strategy: 'fork', per: 'worker', ttl: '4h', environment: 'prod' } as const;

test.each([{ database: 'db' }, { env: 'dev' }, { per: 'test' }, { strategy: 'template' }] as const)(
  'a whole environment for each worker takes no %j',
  async (more) => {
    const done = testCommand(['true'], { ...flags, ...more }, new AbortController().signal);
    await expect(done).rejects.toMatchObject({ hint: 'Leave out --database, --env, --per and --strategy.' });
  },
);
