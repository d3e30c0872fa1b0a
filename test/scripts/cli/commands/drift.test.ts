import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { InterruptedError } from '../../../../pipelines/errors.ts';
import { driftCommand } from '../../../../scripts/cli/commands/drift.ts';

let cwd: string;
let codeBefore: typeof process.exitCode;
beforeEach(async () => {
  codeBefore = process.exitCode;
  cwd = await mkdtemp(path.join(os.tmpdir(), 'lockage-drift-'));
  await mkdir(path.join(cwd, 'environments'));
  await writeFile(
    path.join(cwd, 'lockage.yaml'),
    'app: shop\nrepository: localhost:5000/shop\nroles: { web: { port: 8080 } }\n',
  );
  await writeFile(path.join(cwd, 'environments/prod.yaml'), 'targets: { kind: lxc }\n');
});
afterEach(async () => {
  process.exitCode = codeBefore;
  vi.restoreAllMocks();
  await rm(cwd, { recursive: true });
});

test('a look for drift that is stopped has no answer, and ends as interrupted', async () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const stopped = AbortSignal.abort(new InterruptedError('interrupted'));
  const flags = { cwd, json: true };
  await driftCommand(undefined, flags, () => stopped);
  expect(write.mock.calls.flat().join('')).toContain('"message": "interrupted"');
  expect(process.exitCode).toBe(130);
});
