import { expect, test } from 'vitest';
import { dockerHint } from '../../../scripts/tools/docker-hint.ts';
import { mustRun } from '../../../scripts/tools/shell.ts';

test.each([
  [
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.45/containers/json": dial unix /var/run/docker.sock: connect: permission denied',
    'group "docker"',
  ],
  [
    'Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Post',
    'group "docker"',
  ],
  ['permission denied while trying to connect to the docker API at unix:///var/run/docker.sock', 'group "docker"'],
  ['Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?', 'Start Docker'],
  ['error during connect: Get "http://%2F%2F.%2Fpipe%2Fdocker_engine/v1.24/info": open', 'Start Docker'],
  [
    'failed to connect to the docker API at unix:///Users/anna/.docker/run/docker.sock; check if the path is correct and if the daemon is running',
    'Start Docker',
  ],
  ['/bin/sh: 1: docker: not found', 'Install Docker'],
  ['/bin/sh: docker: command not found', 'Install Docker'],
  ['docker is not installed', 'Install Docker'],
  [
    'NotFound: content digest sha256:88e3cbde05c1c45473fbb6a8349293256cdd807318e13ae55ca0f158bb6f7f6a: not found',
    '`docker image prune`',
  ],
  ['failed to solve: process "/bin/sh -c npm ci" did not complete successfully: permission denied', undefined],
  ['COPY failed: file not found in build context', undefined],
])('what helps where Docker says %j', (said, hint) => {
  if (hint) expect(dockerHint(said)).toContain(hint);
  else expect(dockerHint(said)).toBeUndefined();
});

test('who runs it is told so', async () => {
  const failing = mustRun('build the image', ['sh', '-c', 'echo Is the docker daemon running? >&2; exit 1'], {
    hint: dockerHint,
  });
  await expect(failing).rejects.toMatchObject({
    message: 'cannot build the image: sh ended with exit code 1',
    hint: expect.stringContaining('Start Docker'),
  });
});
