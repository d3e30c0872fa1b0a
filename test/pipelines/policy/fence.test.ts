import { expect, test } from 'vitest';
import { ended, turnOf, type Fence } from '../../../pipelines/model/fence.ts';
import { refuseAhead } from '../../../pipelines/policy/fence.ts';
import { environment, hostWith, record, revision } from '../model/values.ts';

const known = record([revision(4, '1.0.0'), revision(5, '1.1.0')]);
const prod = environment();
const says = (...fences: (Fence | undefined)[]) =>
  fences.map((fence, index) => ({ host: hostWith(`prod-${index + 1}`), ...(fence ? { fence } : {}) }));
const fence = (value: number, recorded: number, operation = 'x'): Fence => ({ revision: value, recorded, operation });

test.each([
  ['a host that knows as much', fence(5, 5)],
  ['one that was not told of the last record', fence(5, 4)],
  ['one that knows less', fence(3, 3)],
  ['what an operation left that was killed', fence(6, 5)],
  ['a host without an edge', undefined],
])('lets act with %s', (_what, held) => {
  expect(() => refuseAhead(prod, known, says(held, fence(5, 5)))).not.toThrow();
});

test('refuses where hosts know more than the record, and names them', () => {
  const refused = () => refuseAhead(prod, known, says(fence(7, 7), fence(5, 5), fence(8, 6)));
  expect(refused).toThrow('hosts of prod know revision 7, this state knows 5');
  expect(refused).toThrow(expect.objectContaining({ details: ['prod-1: revision 7', 'prod-3: revision 7'] }));
});

test('refuses a copy of the state from the time when something was tried that was recorded since', () => {
  const { number, release, kind, actor, startedAt } = revision(6, '1.2.0');
  const attempt = { number, release, kind, actor, startedAt, result: 'unfinished', operation: 'op' } as const;
  const tried = {
    ...record([...known.ledger.revisions, { ...revision(6, '1.2.0'), result: 'unfinished' }]),
    pending: [attempt],
  };
  expect(() => refuseAhead(prod, tried, says(fence(6, 5, 'op')))).not.toThrow();
  expect(() => refuseAhead(prod, tried, says(fence(6, 6, 'op')))).toThrow('know revision 6, this state knows 5');
});

test('refuses where there is no record at all', () => {
  expect(() => refuseAhead(prod, record([]), says(fence(1, 1)))).toThrow('know revision 1, this state knows none');
});

test('a turn is at the revision that is made, and takes over what no record knows', () => {
  const of = (number: number, ...fences: (Fence | undefined)[]) =>
    turnOf({ revision: number, operation: 'op', ledger: known.ledger, reports: says(...fences) });
  expect(of(6, fence(5, 5, 'last'), undefined)).toEqual({ revision: 6, operation: 'op', recorded: 5, over: [] });
  expect(of(6, fence(6, 5, 'a'), fence(6, 5, 'b'))).toMatchObject({ revision: 6, over: ['a', 'b'] });
  expect(of(5, fence(6, 5, 'a'), fence(5, 5, 'b'))).toMatchObject({ revision: 6, recorded: 5, over: ['a'] });
  expect(ended(of(6))).toMatchObject({ revision: 6, recorded: 6 });
});

test('a turn that counts nothing leaves hosts knowing by whom the last change was recorded', () => {
  const of = (number: number, ...fences: Fence[]) =>
    turnOf({ revision: number, operation: 'op', ledger: known.ledger, reports: says(...fences) }).operation;
  expect(of(5, fence(4, 4, 'before'), fence(5, 5, 'last'))).toBe('last');
  expect(of(6, fence(5, 5, 'last'))).toBe('op');
  expect(of(5, fence(5, 4, 'begun'), fence(6, 5, 'begun'))).toBe('op');
});
