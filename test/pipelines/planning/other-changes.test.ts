import { expect, test } from 'vitest';
import { containerSpecs } from '../../../pipelines/model/container-spec.ts';
import { withoutCordon, withoutCordoned } from '../../../pipelines/model/cordons.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { Cordon, Ledger } from '../../../pipelines/model/revision.ts';
import { refuseOtherChanges } from '../../../pipelines/planning/plan-rollout.ts';
import { environment, host, record, refusal, release, revision, role } from '../model/values.ts';

const names = ['prod-1', 'prod-2', 'prod-3'];
const prod = environment({ hosts: names.map(host), roles: [role({ hosts: names })] });
const cordon = (name: string): Cordon => ({ host: name, since: '2026-01-01T12:00:00Z', actor: 'anna', reason: 'dead' });

/** What keeps prod-2 from coming back, where this is configured and that is recorded. */
function refused(configured: Environment, ledger: Ledger): string {
  const back = withoutCordon(ledger, 'prod-2');
  const inputs = {
    environment: withoutCordoned(configured, back),
    release: release('1.0.0'),
    record: { ...record([]), ledger: back },
    versions: {},
    app: 'shop',
  };
  return refusal(() => refuseOtherChanges(inputs));
}

const made = (on: Environment) =>
  containerSpecs({ app: 'shop', environment: on, release: release('1.0.0'), versions: {} });
const everywhere = revision(1, '1.0.0', { containers: made(prod) });
const cordons = [cordon('prod-2'), cordon('prod-3')];

test('a host comes back while another one stays away', () => {
  expect(refused(prod, { revisions: [everywhere], cordons })).toBe('no refusal');
  const left = withoutCordoned(prod, { revisions: [], cordons });
  const partial = revision(2, '1.0.0', { containers: made(left), without: ['prod-2', 'prod-3'] });
  expect(refused(prod, { revisions: [everywhere, partial], cordons })).toBe('no refusal');
});

test('a host does not bring another configuration in with it', () => {
  const other = { ...prod, roles: prod.roles.map((each) => ({ ...each, env: { LOG: 'loud' } })) };
  expect(refused(other, { revisions: [everywhere], cordons })).toMatch(
    /^the configuration of prod has changed since revision 1 .* `lockage promote 1.0.0 --to prod` first/,
  );
});
