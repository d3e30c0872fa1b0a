import { expect, test } from 'vitest';
import type { Engine } from '../../../infra/docker/api/client.ts';
import { verifyContainers } from '../../../infra/provider/verification.ts';
import { detailsOf } from '../../../pipelines/errors.ts';
import { placed, spec } from '../../pipelines/model/values.ts';
import { contextIn } from '../../support/context-fixture.ts';

test('a health command that prints a megabyte each time is kept to 2000 characters, and not more than some answers', async () => {
  let asked = 0;
  const exec = async (_name: string, _argv: readonly string[], { maxOutput = 2 ** 20 }: { maxOutput?: number }) => {
    asked += 1;
    // The secret lies across the place where the answer is cut.
    const said = `${'x'.repeat(2 ** 20)}token-of-prod${'y'.repeat(1985)} ${asked === 1 ? 'first' : 'again'}`;
    return { code: 1, stdout: '', stderr: said.slice(-maxOutput) };
  };
  const inspectContainer = async () => ({
    State: { Running: asked < 60, Paused: false, StartedAt: '2026-01-01T00:00:00Z', ExitCode: 1 },
    RestartCount: 0,
  });
  const logs = async function* () {};
  const engine = { exec, inspectContainer, logs } as unknown as Engine;
  const mask = (text: string) => text.replaceAll('token-of-prod', '[secret]');
  const context = { ...contextIn('/nowhere', { mask }), engine: async () => engine };
  const { health } = spec('web-1.0.0');
  const check = { kind: 'command', command: ['check'] } as const;
  const { host } = placed('web-1.0.0');
  const container = { host, spec: spec('web-1.0.0', host.name, { health: { ...health, check, interval: 1 } }) };
  const inputs = { app: 'shop', environment: 'prod', operation: 'x', wake: [], containers: [container], routes: [] };
  const error: unknown = await verifyContainers(context, inputs).catch((thrown: unknown) => thrown);
  const details = detailsOf(error);
  const answers = details.slice(details.indexOf('last health answers:') + 1, -2);
  // Of the first one, which others drove out, nothing is known any more.
  expect(answers).toEqual([expect.stringMatching(/^ {2}exit code 1 …\S*y{1985} again$/)]);
  expect(answers[0]?.length).toBeLessThanOrEqual('  exit code 1 '.length + 2000);
  expect(answers[0]).not.toMatch(/token|of-prod/);
});
