import { expect, test } from 'vitest';
import { LockageError, LockedError, PartialError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { MemoryWorld } from './memory-world.ts';
import { errorOf, onMachines } from './situations.ts';

const named = (name: string): Environment => ({ ...onMachines(), name });

/** Two environments with a machine each. */
function world(): MemoryWorld {
  const made = new MemoryWorld([named('qa'), named('prod')]);
  for (const name of ['qa', 'prod']) made.place(name).machines.set(`${name}-1`, 'sha256:first');
  return made;
}

test('machines of all environments are started, or of one', async () => {
  const qa = { environment: 'qa', host: 'qa-1', runs: true };
  expect(await world().perform('startMachines', {})).toEqual({
    machines: [qa, { environment: 'prod', host: 'prod-1', runs: true }],
  });
  expect(await world().perform('startMachines', { only: 'qa' })).toEqual({ machines: [qa] });
});

test.each([
  ['does not come up', new LockageError('the load balancer does not answer', { details: ['port 8000 is taken'] })],
  ['is at work for somebody else', new LockedError('another command is at work on the machines of qa')],
])('an environment that %s keeps no other one from its start', async (_what, failure) => {
  const made = world();
  made.fail('machines.start', failure);
  const error = await errorOf(made, 'startMachines', {});
  expect(error).toBeInstanceOf(PartialError);
  expect(error).toMatchObject({
    message: 'not all machines run',
    details: [`qa: ${failure.message}`, ...failure.details],
  });
  expect(made.calls.filter((call) => call === 'machines.start')).toHaveLength(2);
});

test('one environment that was asked for says itself what is wrong', async () => {
  const made = world();
  const failure = new LockedError('another command is at work on the machines of qa');
  made.fail('machines.start', failure);
  expect(await errorOf(made, 'startMachines', { only: 'qa' })).toBe(failure);
});
