import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';

/** The version that set-up provides where no Pulumi CLI is on PATH. */
const pulumiVersion = '3.256.0';

/** Folder for what Lockage keeps per user: binaries, Pulumi's plugins, connections. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env['LOCKAGE_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lockage');
}

/** The Pulumi CLI: ours from set-up, else the one on PATH. Throws LockageError when there is none. */
export function findPulumi(env: NodeJS.ProcessEnv = process.env): string {
  const folders = [join(cacheFolder(env), 'bin', `pulumi-${pulumiVersion}`), ...(env['PATH'] ?? '').split(delimiter)];
  const found = folders.map((folder) => join(folder, 'pulumi')).find(isExecutable);
  if (found) return found;
  throw new LockageError('the Pulumi CLI was not found', {
    hint: 'Install it (https://www.pulumi.com/docs/install) or run `npm run setup` in a clone of Lockage.',
  });
}

export interface PulumiSettings {
  /** backend URL */
  readonly backend: string;
  readonly passphrase: string;
  /** folder with Pulumi.yaml and the stacks' settings */
  readonly folder: string;
}

const dockerVariables = ['CONTEXT', 'CERT_PATH', 'CA_MATERIAL', 'CERT_MATERIAL', 'KEY_MATERIAL'].map(
  (name) => `DOCKER_${name}`,
);

/** Environment of every Pulumi process: our backend, no look at the network, nothing of a user's own set-up. */
export function pulumiEnvironment(settings: PulumiSettings): Record<string, string> {
  return {
    PULUMI_HOME: join(cacheFolder(), 'pulumi-home'),
    PULUMI_BACKEND_URL: backendUrl(settings.backend),
    PULUMI_CONFIG_PASSPHRASE: settings.passphrase,
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    // Without it every start asks the internet for a plugin that this process serves itself (0.8 s).
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: 'false',
    PULUMI_LOG_ROTATION_MAX_TOTAL_MB: '20',
    // The Docker plugin would let these overrule the host and the certificates that it is given.
    ...Object.fromEntries(dockerVariables.map((name) => [name, ''])),
  };
}

/**
 * Beside each file of a folder backend Pulumi writes another one with its attributes, in place: a process that dies while it
 * does leaves it empty, and the stack cannot be loaded any more. Nothing needs these attributes.
 */
function backendUrl(backend: string): string {
  return backend.startsWith('file://') ? `${backend}${backend.includes('?') ? '&' : '?'}metadata=skip` : backend;
}

export interface PulumiResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/**
 * Runs the Pulumi CLI to its end. The first SIGINT of a terminal reaches only this process, not the CLI: the operation
 * ends at its own safe point. Throws LockageError when the CLI cannot be started.
 */
export async function runPulumi(
  settings: PulumiSettings,
  argv: readonly string[],
  options: { env?: Record<string, string>; input?: string; onOutput?: (text: string) => void } = {},
): Promise<PulumiResult> {
  const child = spawn(findPulumi(), [...argv, '--non-interactive', '--color=never'], {
    cwd: settings.folder,
    env: { ...process.env, ...pulumiEnvironment(settings), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString();
    options.onOutput?.(data.toString());
  });
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => {
      reject(new LockageError(`the Pulumi CLI does not start: ${cause.message}`, { cause }));
    });
    child.on('close', (code) => resolve({ stdout, stderr, code: code ?? 1 }));
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
