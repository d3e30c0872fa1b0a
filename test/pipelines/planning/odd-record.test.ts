import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import { containerSpecs } from '../../../pipelines/model/container-spec.ts';
import { recordedOf } from '../../../pipelines/model/read-recorded.ts';
import { textOfRecorded, withoutVersions, type RecordedRevision } from '../../../pipelines/model/recorded-revision.ts';
import { planReproduction } from '../../../pipelines/planning/plan-reproduction.ts';
import { reproducedEnvironment } from '../../../pipelines/planning/reproduced-environment.ts';
import { reproductionDifferences } from '../../../pipelines/planning/reproduction-differences.ts';
import { environment, host, release, role } from '../model/values.ts';
import { withOddity } from '../../support/odd-json.ts';

const inputs = { app: 'shop', environment: environment({ roles: [role({ secrets: ['TOKEN'] })] }) };
const specs = containerSpecs({ ...inputs, release: release('1.4.0'), versions: { TOKEN: 'aaaaaaaa' } });
const recorded: RecordedRevision = {
  ...{ app: 'shop', environment: 'prod', number: 12, release: release('1.4.0'), swarm: 'prod' },
  containers: specs.map(withoutVersions),
  accessories: [
    {
      ...{ name: 'db', image: `registry.example.com/db@sha256:${'d'.repeat(64)}`, host: 'prod-1', env: { A: 'b' } },
      ...{ secrets: ['PASSWORD'], volumes: { data: '/data' }, memory: 512, health: { command: ['ok'], timeout: 5 } },
      ...{ extraHosts: { gate: '10.0.0.1' }, dns: { servers: ['10.0.0.2'] }, stopSignal: 'SIGINT' },
      ...{ ulimits: { memlock: { soft: -1, hard: -1 } } },
      ...{ backup: { command: ['dump'], restore: ['take'] }, log: { driver: 'journald', options: { tag: 'x' } } },
    },
  ],
  edge: { image: 'registry.example.com/edge:2', limits: { connections: 100 }, trustedProxies: ['10.0.0.0/8'] },
  migration: { command: ['migrate'], timeout: 1000, secrets: ['TOKEN'], env: {}, version: '1.4.0' },
  hosts: ['prod-1'],
  insecureRegistries: ['10.0.0.1:5000'],
};
const whole = JSON.parse(textOfRecorded(recorded)) as unknown;

/** Everything that is made of a record before an engine is asked to do anything. */
function use(text: string): void {
  const of = recordedOf(text, 'prod.lockage');
  const engine = { platform: of.release.platform, emulates: [], taken: new Map() };
  const reproduction = planReproduction({ of, name: 'here', host: host('here'), engine, scale: {}, secrets: {} });
  const { roles } = reproducedEnvironment(reproduction);
  containerSpecs({ ...inputs, environment: { ...inputs.environment, roles }, release: of.release, versions: {} });
  reproductionDifferences(reproduction, { original: [], here: {}, taken: new Map() });
}

test('a record with anything odd in any place is refused with where it is, or is of no consequence', () => {
  use(JSON.stringify(whole));
  fc.assert(
    fc.property(withOddity(whole), (odd) => {
      try {
        use(JSON.stringify(odd));
      } catch (error) {
        expect(error).toBeInstanceOf(LockageError);
        const { message, details } = error as LockageError;
        expect([message, ...details].join(), 'control characters').not.toMatch(/[\p{Cc}]/u);
        expect([message, ...details].join().length).toBeLessThan(5000);
      }
    }),
    { numRuns: 3000 },
  );
});

test('a record that is no object is refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      expect(() => recordedOf(text, 'prod.lockage')).toThrow(LockageError);
    }),
    { numRuns: 500 },
  );
});

test('all that is wrong is told at once', () => {
  const wrong = { ...(whole as object), app: 5, hosts: 'prod-1', containers: [] };
  expect(() => recordedOf(JSON.stringify(wrong), 'prod.lockage')).toThrow(
    expect.objectContaining({
      message: 'prod.lockage cannot be used: its record is not as Lockage writes it',
      details: ['app', 'containers', 'hosts'].map((place) => expect.stringMatching(new RegExp(`^${place}: `))),
    }),
  );
});
