import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { childEnvironment, variablesFor, type Variables } from '../system/environment.ts';
import { killSession, startProcess } from '../system/process.ts';
import { pulumiDefaults, requirePulumi } from './find-pulumi.ts';

/** The settings of a run of the Pulumi CLI. */
export interface PulumiSettings {
  /** backend URL */
  readonly backend: string;
  readonly passphrase: string;
  /** folder with Pulumi.yaml and the stacks' settings */
  readonly folder: string;
}

/** Returns the settings of a stack, which has a folder of its own: operations on several do not meet in its files. */
export function settingsIn(settings: PulumiSettings, stack: string): PulumiSettings {
  return { ...settings, folder: join(settings.folder, stack) };
}

const dockerVariables = ['CONTEXT', 'CERT_PATH', 'CA_MATERIAL', 'CERT_MATERIAL', 'KEY_MATERIAL'].map(
  (name) => `DOCKER_${name}`,
);

/** Returns the variables of every Pulumi process: our backend, no network checks, nothing of a user's own set-up. */
export function pulumiEnvironment(settings: PulumiSettings): Record<string, string> {
  return {
    ...pulumiDefaults(),
    PULUMI_BACKEND_URL: backendUrl(settings.backend),
    PULUMI_CONFIG_PASSPHRASE: settings.passphrase,
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: 'false',
    PULUMI_LOG_ROTATION_MAX_TOTAL_MB: '20',
    // In the Docker plugin these would override the host and the certificates that it is given.
    ...Object.fromEntries(dockerVariables.map((name) => [name, ''])),
  };
}

/**
 * Returns the URL of the backend. For a folder, it turns off the file of attributes that Pulumi writes in place beside
 * each file: a process that dies while writing leaves it empty, and then the stack cannot be loaded any more. Nothing
 * needs these attributes.
 */
function backendUrl(backend: string): string {
  return backend.startsWith('file://') ? `${backend}${backend.includes('?') ? '&' : '?'}metadata=skip` : backend;
}

/** What a run of the Pulumi CLI gets besides its arguments, and whom it tells. */
export interface RunOptions {
  readonly env?: Variables;
  readonly input?: string;
  readonly onOutput?: (text: string) => void;
  /** is told its process */
  readonly onStart?: (pid: number) => void;
}

/** The outcome of a run of the Pulumi CLI. */
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
  options: RunOptions = {},
): Promise<PulumiResult> {
  const { path } = await requirePulumi();
  const env = childEnvironment({ ...variablesFor('pulumi'), ...pulumiEnvironment(settings), ...options.env });
  const started = { cwd: settings.folder, env, detached: true };
  const child = startProcess([path, ...argv, '--non-interactive', '--color=never'], started);
  if (child.pid !== undefined) options.onStart?.(child.pid);
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
    child.on('close', (code) => {
      if (child.pid !== undefined) killSession(child.pid);
      resolve({ stdout, stderr, code: code ?? 1 });
    });
  });
}
