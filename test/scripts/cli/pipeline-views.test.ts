import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { pipelineLines, type PassageEnd } from '../../../scripts/cli/views/pipeline.ts';
import { jobLines } from '../../../scripts/cli/views/verification.ts';

const failed = (environment: string, code: number): PassageEnd => ({
  ...{ environment, outcome: 'failed' },
  error: { message: 'it broke', details: ['eu-1: web stopped'], hint: 'Run `lockage status`.', code },
});

describe('a run of the pipeline', () => {
  test('shows each environment, what keeps the release out of it, and what helps', () => {
    const soak = {
      gate: 'soak',
      from: 'qa',
      met: false,
      text: 'has served 1 h',
      until: '2026-01-02T00:00:00Z',
    } as const;
    const lines = pipelineLines('1.4.0', [
      { environment: 'dev', outcome: 'runs' },
      { environment: 'qa', outcome: 'promoted', revision: 7 },
      failed('eu', 3),
      { environment: 'prod', outcome: 'waits', gates: [soak] },
    ]);
    expect(lines.map(stripVTControlCharacters)).toEqual([
      '✓ dev runs 1.4.0 already',
      '✓ qa runs 1.4.0, revision 7',
      '✗ eu does not get 1.4.0: it broke',
      '    eu-1: web stopped',
      '    Run `lockage status`.',
      '- prod waits: 1.4.0 may not enter yet',
      '    has served 1 h',
      '    Run the same command again after 2026-01-02 00:00 UTC.',
    ]);
  });
});

test('a job shows how it ended, and the end of its output', () => {
  const result = {
    job: 'smoke',
    definition: '',
    image: 'shop@sha256:1',
    at: '2026-01-02T00:00:00.000Z',
    duration: 1500,
  };
  const now = Date.parse('2026-01-02T01:00:00Z');
  const lines = jobLines([{ ...result, passed: false, why: 'exit code 1', tries: 2, log: ['no order'] }], now);
  expect(lines.map(stripVTControlCharacters)).toEqual([
    '✗ smoke: exit code 1 after 1.5 s, 2 tries 1 h ago, in shop@sha256:1',
    '    no order',
  ]);
});
