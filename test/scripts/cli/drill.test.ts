import { expect, test } from 'vitest';
import { drillLines, type DrillEnd } from '../../../scripts/cli/views/drill.ts';

const drill = { at: '', actor: 'ci', version: '1.0.0', revision: 1, from: 'standby' as const, duration: 340 };
const failed = (code: number): DrillEnd => ({
  ...{ environment: 'prod', outcome: 'failed' },
  error: { message: 'a rollback would fail', code, details: ['prod-2: web is silent'] },
});

test('each of several drills has a line', () => {
  const lines = drillLines([
    { environment: 'dev', outcome: 'nothing to go back to' },
    { environment: 'qa', outcome: 'proven', drill },
    failed(3),
    { environment: 'eu', outcome: 'not tried' },
  ]);
  expect(lines).toEqual([
    '- dev has nothing to go back to',
    '✓ qa can go back to 1.0.0 (revision 1) by its standby: ready after 340 ms',
    '✗ prod: a rollback would fail',
    '    prod-2: web is silent',
    '- eu was not tried',
  ]);
});
