import { expect, test } from 'vitest';
import { thoseThatRun } from '../../../../scripts/cli/commands/heal.ts';
import type { CommandContext } from '../../../../scripts/cli/open-context.ts';
import { environment, record, revision } from '../../../pipelines/model/values.ts';

test('what an archived environment had is not healed: its hosts may be gone', async () => {
  const names = ['dev', 'load-test', 'qa', 'prod'];
  const archive = { environment: 'load-test' };
  const known = {
    dev: record([revision(1, '1.0.0')]),
    'load-test': { ...record([revision(1, '1.0.0')]), archive },
  } as Record<string, object>;
  const asked: string[] = [];
  const context = {
    project: { environments: names.map((name) => environment({ name })) },
    records: { environment: async (name: string) => known[name] ?? record([]) },
    drift: {
      find: async ({ name }: { name: string }) => {
        asked.push(name);
        return name === 'qa' ? [{ host: {}, drift: [{}] }] : [{ host: {}, error: 'does not answer' }];
      },
    },
  } as unknown as CommandContext;
  expect(await thoseThatRun(context)).toEqual(['dev', 'qa']);
  expect(asked).toEqual(['qa', 'prod']);
});
