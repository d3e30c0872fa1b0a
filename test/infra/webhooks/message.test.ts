import { expect, test } from 'vitest';
import { eventDocument, eventText } from '../../../infra/webhooks/message.ts';
import type { OperationEnd } from '../../../pipelines/operations/observers.ts';
import { release } from '../../pipelines/model/values.ts';

const teller = { app: 'shop', actor: 'anna@desk', time: '2026-01-02T00:00:00.000Z' };
const end: OperationEnd = {
  ...{
    operation: 'promote',
    environment: 'prod',
    release: release('1.4.0'),
    revision: 3,
    outcome: 'done',
    duration: 10,
  },
  breakGlass: 'orders are lost\u001b[2J',
};
const gate = { gate: 'soak', from: 'qa', met: false, text: '1 h is wanted' } as const;

test('a promotion that broke the glass says so, and why', () => {
  const broken: OperationEnd = { ...end, gates: [{ ...gate, passed: true }] };
  expect(eventText('promoted', broken, teller)).toContain(
    'was promoted in prod, by anna@desk: BROKE THE GLASS of soak qa: orders are lost\\u001b[2J',
  );
  expect(eventDocument('promoted', broken, teller).brokenGlass).toEqual({
    reason: 'orders are lost\u001b[2J',
    gates: 'soak qa',
  });
});

test.each<[string, OperationEnd]>([
  ['met', { ...end, gates: [{ ...gate, met: true }] }],
  ['closed', { ...end, outcome: 'refused', gates: [gate] }],
  ['not known', end],
])('one whose gates are %s did not', (_what, whole) => {
  expect(eventText('promoted', whole, teller)).not.toContain('GLASS');
  expect(eventDocument('promoted', whole, teller).brokenGlass).toBeNull();
});
