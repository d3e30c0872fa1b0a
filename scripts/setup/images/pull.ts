/**
 * Pulling a base image, or finding out quickly that nothing can be pulled here. Machines without internet are
 * supported, and a resolver or proxy that drops packets must not cost a minute for each image.
 */
import { once } from 'node:events';
import { childEnvironment, variablesFor } from '../../../infra/system/environment.ts';
import { startProcess } from '../../../infra/system/process.ts';
import { run } from '../../tools/command.ts';

const answerTimeout = 8_000;
const maxTime = 15 * 60_000;

let reachable: boolean | undefined;

/**
 * Pulls `official` and tags it `image`; returns false when it cannot be pulled. The first failure decides for later
 * calls, too.
 */
export async function pull(official: string, image: string, progress: (line: string) => void): Promise<boolean> {
  if (reachable === false) return false;
  reachable = await pulls(official, progress);
  if (!reachable) return false;
  await run(['docker', 'tag', official, image]);
  return true;
}

// `docker pull` prints its first line when the manifest has arrived: silence until then means that no registry answers.
async function pulls(official: string, progress: (line: string) => void): Promise<boolean> {
  const env = childEnvironment(variablesFor('docker'));
  const child = startProcess(['docker', 'pull', official], { env, timeout: maxTime });
  child.stdin.on('error', () => undefined).end();
  child.stderr.resume();
  const silence = setTimeout(() => child.kill('SIGKILL'), answerTimeout);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    clearTimeout(silence);
    for (const line of text.split('\n')) if (/: Pulling from|^Status:/.test(line)) progress(line);
  });
  try {
    const [code] = await once(child, 'close');
    return code === 0;
  } catch {
    return false;
  } finally {
    clearTimeout(silence);
  }
}
