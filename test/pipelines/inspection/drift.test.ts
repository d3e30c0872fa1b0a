import { describe, expect, test } from 'vitest';
import { driftedOf, trafficDrift, withoutRemoved } from '../../../pipelines/inspection/drift.ts';
import type { HostView } from '../../../pipelines/inspection/observation.ts';
import { host, placed, record, revision } from '../model/values.ts';

const drift = { what: 'shop-prod-web-1', member: 'state', expected: 'running', actual: 'paused' };
const view = (found: Partial<HostView> = {}): HostView => ({ host: host('prod-1'), containers: [], ...found });
const membersOf = (found: Partial<HostView>) =>
  trafficDrift('shop-prod-edge', record([revision(1, '1.0.0')]), view(found)).map(({ member }) => member);

describe('an environment has drifted', () => {
  test('when one host has, whatever the others do not tell', () => {
    const silent = { host: host('prod-2'), error: 'does not answer' };
    expect(driftedOf([{ host: host('prod-1'), drift: [drift] }, silent])).toBe('some');
    expect(driftedOf([{ host: host('prod-1'), drift: [] }, silent])).toBe('unknown');
    expect(driftedOf([{ host: host('prod-1'), drift: [] }])).toBe('none');
  });
});

test('what a command that was cut short was about to remove, and nobody needs, is missing in no way', () => {
  const missing = (what: string, member = 'container') => ({ what, member, expected: 'there', actual: 'missing' });
  const changed = { what: 'web-1.0.0', member: 'files', expected: 'as in the image', actual: 'changed' };
  const ended = (what: string) => ({ what, member: 'state', expected: 'running', actual: 'exited (exit code 0)' });
  const others = [missing('web-2.0.0'), ended('web-2.0.0'), missing('web-1.0.0', 'network'), changed];
  const rows = [missing('web-1.0.0'), ended('web-1.0.0'), ...others];
  const found = { host: host('prod-1'), drift: rows };
  const surplus = [placed('web-1.0.0')];
  expect(withoutRemoved(found, surplus)).toEqual({ ...found, drift: others });
  const elsewhere = { ...found, host: host('prod-2') };
  expect(withoutRemoved(elsewhere, surplus)).toEqual(elsewhere);
  const silent = { host: host('prod-1'), error: 'does not answer' };
  expect(withoutRemoved(silent, surplus)).toBe(silent);
});

describe('the way that visitors come in has drifted', () => {
  test('in nothing where traffic goes as recorded and everything answers', () => {
    expect(membersOf({ routes: 'as recorded', edge: { guarded: true, silent: [] } })).toEqual([]);
    expect(membersOf({ fence: { revision: 1, operation: 'a', recorded: 1 } })).toEqual([]);
  });

  test.each<[string, Partial<HostView>, string]>([
    ['routes that lead elsewhere', { routes: 'differ' }, 'routes'],
    ['a switch that nobody has confirmed', { routes: 'unconfirmed' }, 'routes'],
    ['a port that does not answer', { edge: { silent: ['port 8000 does not answer visitors: refused'] } }, 'port'],
    ['a guard that has ended', { edge: { guarded: false } }, 'guard'],
    ['an edge that cannot be asked', { edge: { problem: 'it is paused' } }, 'state'],
    ['a host that knows more than the record', { fence: { revision: 3, operation: 'b', recorded: 3 } }, 'fence'],
    ['secrets that are gone', { faults: ['web-1.secrets is empty since a restart'] }, 'host'],
  ])('by %s', (_, found, member) => {
    expect(membersOf(found)).toEqual([member]);
  });
});
