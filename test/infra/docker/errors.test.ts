import { expect, test } from 'vitest';
import { EngineError } from '../../../infra/docker/api/client.ts';

test.each([
  ['Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available', 'prod-1 has fewer processors'],
  ['NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler', 'limits: { cpus: none }'],
  ['something that nobody knows', undefined],
])('what helps where an engine says %j', (reason, hint) => {
  const error = new EngineError('prod-1', 'create a container', reason);
  expect(error.message).toBe(`prod-1: cannot create a container: ${reason}`);
  if (hint) expect(error.hint).toContain(hint);
  else expect(error.hint).toBeUndefined();
});
