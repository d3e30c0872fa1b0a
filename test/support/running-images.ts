import type { BareHost } from '../../scripts/lab/lab.ts';

/**
 * Returns the images that a host's containers were made of, as they were asked for, in order. `docker ps` shows some of them by another name,
 * and each engine in its own way.
 */
export async function runningImages(host: Pick<BareHost, 'exec'>): Promise<string[]> {
  const made = (await host.exec(['docker', 'ps', '--quiet'])).trim().split('\n');
  const shown = await host.exec(['docker', 'inspect', '--format', '{{.Config.Image}}', ...made]);
  return shown.trim().split('\n').sort();
}
