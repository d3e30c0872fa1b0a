// Starts the Docker Engine of this machine: through systemd where there is one, else as a process in the background.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { startDetached } from '../../infra/system/process.ts';
import { ask, findProgram, run } from './command.ts';
import { hasSystemd } from './packages.ts';
import { StepError } from './step.ts';

const pidFile = '/var/run/docker.pid';
const deadline = 60_000;

/** Starts the engine as root and waits until `version` finds that it answers; returns that version. */
export async function startEngine(
  root: readonly string[],
  version: () => Promise<string | undefined>,
  progress: (line: string) => void,
): Promise<string> {
  if (hasSystemd()) {
    const todo = 'see `journalctl -u docker` for the reason.';
    progress('systemctl start docker');
    await run([...root, 'systemctl', 'start', 'docker'], { todo });
    const found = await untilItAnswers(version, () => undefined);
    if (found !== undefined) return found;
    throw new StepError(
      'docker.service runs, but this user gets no answer from it',
      'let this user use it (`sudo usermod -aG docker $USER`), log in again, and run this again.',
    );
  }
  const logFile = join(cacheFolder(), 'dockerd.log');
  progress(`starting dockerd in the background, log in ${logFile}`);
  await removeStalePidFile(root);
  const ended = await spawnDaemon(root, logFile);
  const found = await untilItAnswers(version, ended);
  if (found !== undefined) return found;
  throw new StepError(
    ended() ?? `dockerd does not answer ${deadline / 1000} s after its start`,
    `read ${logFile} for the reason; \`dockerd --debug\` as root shows more.`,
    (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-12),
  );
}

async function spawnDaemon(root: readonly string[], logFile: string): Promise<() => string | undefined> {
  await mkdir(cacheFolder(), { recursive: true });
  await writeFile(logFile, '');
  const daemon = startDetached([...root, findProgram('dockerd') ?? 'dockerd', ...(await socketGroup(root))], logFile);
  let ended: string | undefined;
  daemon.on('error', (error) => (ended = `dockerd does not start: ${error.message}`));
  daemon.on('exit', (code, signal) => (ended = `dockerd ended at once (${code ?? signal})`));
  return () => ended;
}

async function untilItAnswers(
  version: () => Promise<string | undefined>,
  ended: () => string | undefined,
): Promise<string | undefined> {
  const until = Date.now() + deadline;
  while (Date.now() < until && ended() === undefined) {
    const found = await version();
    if (found !== undefined) return found;
    await sleep(200);
  }
  return undefined;
}

// A machine that was stopped hard keeps the file, and its number may be another process by now: dockerd then takes that
// process for a second dockerd and does not start.
async function removeStalePidFile(root: readonly string[]): Promise<void> {
  const pid = (await readFile(pidFile, 'utf8').catch(() => '')).trim();
  if (pid === '') return;
  const program = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  if (program.trim() !== 'dockerd') await run([...root, 'rm', '-f', pidFile]);
}

// Started by sudo, the socket gets the user's own group: membership of `docker` would need a new login.
async function socketGroup(root: readonly string[]): Promise<string[]> {
  const group = root.length > 0 ? await ask(['id', '-gn']) : undefined;
  return group === undefined ? [] : ['--group', group];
}
