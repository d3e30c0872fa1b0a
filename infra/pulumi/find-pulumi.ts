import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LockageError, NotStartedError } from '../../pipelines/errors.ts';
import { cacheFolder } from '../system/cache-folder.ts';
import { childEnvironment } from '../system/environment.ts';
import { findProgram, isExecutable } from '../system/find-program.ts';
import { keepLink } from '../system/keep-link.ts';
import { runToEnd } from '../system/process.ts';
import { isWritable, temporaryRoot } from '../system/this-user.ts';
import { atLeast, oldestPulumi, toolVersions } from '../system/tool-versions.ts';

/** A Pulumi CLI on this computer. */
export interface FoundPulumi {
  readonly path: string;
  readonly version: string;
}

/**
 * Returns Pulumi's own folder (plugins, templates) as Lockage uses it, apart from the user's `~/.pulumi`. Pulumi writes there all the
 * time: where somebody else set up the cache for all, as in an image of a CI, it is one of this user's, with the plugins of that one.
 */
export function pulumiHome(): string {
  const shared = join(cacheFolder(), 'pulumi-home');
  if (!existsSync(shared) || isWritable(shared)) return shared;
  const own = join(temporaryRoot(), `lockage-pulumi-${process.getuid?.() ?? 0}`);
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(own);
  if (uid !== process.getuid?.() || (mode & 0o077) !== 0) {
    throw new LockageError(`neither ${shared} nor ${own} is a folder of this user alone`, {
      hint: 'Set LOCKAGE_CACHE or TMPDIR to a folder that you may write to.',
    });
  }
  keepLink(join(own, 'plugins'), join(shared, 'plugins'));
  return own;
}

/** Returns the path where set-up installs its own Pulumi CLI. */
export function cachedPulumi(): string {
  return join(cacheFolder(), 'bin', `pulumi-${toolVersions.pulumi}`, 'pulumi');
}

/** Returns the variables that every run of the Pulumi CLI gets: our own folder, and no network checks. */
export function pulumiDefaults(): Record<string, string> {
  return {
    PULUMI_HOME: pulumiHome(),
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    // Without it every start asks the internet for a plugin that this process serves itself (0.8 s).
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
  };
}

/**
 * Returns the Pulumi CLI to use, or undefined where there is none: set-up's own first, as its version is the one that
 * is tested; else the one on PATH, unless it is too old.
 */
export async function findPulumi(): Promise<FoundPulumi | undefined> {
  const own = cachedPulumi();
  if (isExecutable(own)) return { path: own, version: toolVersions.pulumi };
  const path = findProgram('pulumi');
  const version = path && (await versionOf(path));
  return path && version && atLeast(version, oldestPulumi) ? { path, version } : undefined;
}

/** Returns the Pulumi CLI to use. Throws LockageError where there is none. */
export async function requirePulumi(): Promise<FoundPulumi> {
  const found = await findPulumi();
  if (found) return found;
  const other = findProgram('pulumi');
  throw new LockageError('the Pulumi CLI was not found', {
    details: [
      ...(other ? [`${other} is older than ${oldestPulumi}, or does not start`] : []),
      `it is neither on PATH nor at ${cachedPulumi()}`,
    ],
    hint:
      'Install it (https://www.pulumi.com/docs/install) or run `npm run setup` in a clone of Lockage; ' +
      'LOCKAGE_CACHE names the folder of a set-up that another user made.',
  });
}

/** Returns where Pulumi's Docker plugin is, of the very version that programs ask for; undefined where it is not. */
export function findDockerPlugin(): string | undefined {
  const folder = join(pulumiHome(), 'plugins', `resource-docker-v${toolVersions.dockerPlugin}`);
  // Pulumi keeps the .partial file beside a plugin until its installation is whole.
  const isWhole = existsSync(join(folder, dockerPluginProgram)) && !existsSync(`${folder}.partial`);
  return isWhole ? folder : findProgram(dockerPluginProgram);
}

const dockerPluginProgram = 'pulumi-resource-docker';

/** Throws NotStartedError where Pulumi has no Docker plugin. It would tell how to install it where Lockage does not look. */
export function requireDockerPlugin(): void {
  if (findDockerPlugin() !== undefined) return;
  const { dockerPlugin } = toolVersions;
  throw new NotStartedError(`Pulumi's Docker plugin ${dockerPlugin} is not in ${join(pulumiHome(), 'plugins')}`, {
    hint:
      `Run \`PULUMI_HOME=${pulumiHome()} pulumi plugin install resource docker ${dockerPlugin}\`, ` +
      'or `npm run setup` in a clone of Lockage.',
  });
}

// A program that was replaced meanwhile is not asked again: a command takes seconds, not days.
const versions = new Map<string, Promise<string | undefined>>();

function versionOf(path: string): Promise<string | undefined> {
  const known = versions.get(path) ?? askVersion(path);
  versions.set(path, known);
  return known;
}

async function askVersion(path: string): Promise<string | undefined> {
  const env = childEnvironment(pulumiDefaults());
  const asked = await runToEnd(path, ['version'], 15_000, { env }).catch(() => undefined);
  return asked?.code === 0 ? asked.stdout.trim().replace(/^v/, '') : undefined;
}
