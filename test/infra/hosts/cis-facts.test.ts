import { afterEach, beforeEach, expect, test } from 'vitest';
import { cisFacts } from '../../../infra/hosts/cis-facts.ts';
import { host } from '../../pipelines/model/values.ts';
import { answeringEngine, type AnsweringEngine } from '../../support/answering-engine.ts';

const labels = { 'lockage.app': 'shop', 'lockage.environment': 'prod', 'lockage.part': 'release' };
const registries = {
  InsecureRegistryCIDRs: ['127.0.0.0/8', '10.0.0.0/8'],
  IndexConfigs: {
    'localhost:5000': { Name: 'localhost:5000', Secure: false },
    'registry:5000': { Name: 'registry:5000', Secure: false },
  },
};
let made: AnsweringEngine;

beforeEach(async () => {
  made = await answeringEngine({
    '/info': { Driver: 'overlay2', RegistryConfig: registries },
    '/containers/json': [{ Id: '1', Names: ['/web-1'], Labels: labels }],
  });
});

afterEach(() => made.close());

/** The profile of a container in a state, made with these options. */
async function profileOf(Status: string, ...SecurityOpt: string[]): Promise<string | undefined> {
  made.answers['/containers/1/json'] = {
    ...{ Name: '/web-1', AppArmorProfile: '', State: { Status }, Mounts: [], NetworkSettings: {} },
    ...{ Config: { Labels: labels, User: '1000' }, HostConfig: { SecurityOpt } },
  };
  const place = { app: 'shop', environment: 'prod', containers: [], isSwarm: false };
  return (await cisFacts(made.engine, host('prod-1'), place)).containers[0]?.appArmor;
}

test('a container that was never started has the profile that it will be started with', async () => {
  expect(await profileOf('created')).toBe('docker-default');
  expect(await profileOf('created', 'apparmor=unconfined')).toBe('');
  expect(await profileOf('running')).toBe('');
});

test('an engine without a default bridge has no open one, and registries of its own host need no TLS', async () => {
  made.answers['/containers/json'] = [];
  const place = { app: 'shop', environment: 'prod', containers: [], isSwarm: false };
  expect(await cisFacts(made.engine, host('prod-1'), place)).toMatchObject({
    bridgeOpen: false,
    insecure: ['10.0.0.0/8', 'registry:5000'],
  });
  made.answers['/networks/bridge'] = { Options: {} };
  expect(await cisFacts(made.engine, host('prod-1'), place)).toMatchObject({ bridgeOpen: true });
});
