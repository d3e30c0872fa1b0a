import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { childEnvironment, variablesFor, type Variables } from '../system/environment.ts';
import { killSession, runToEnd, startProcess } from '../system/process.ts';
import { Tail } from '../system/tail.ts';
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

/** The options of a run of the Pulumi CLI besides its arguments, and whom it tells. */
export interface RunOptions {
  readonly env?: Variables;
  readonly input?: string;
  readonly onOutput?: (text: string) => void;
  /** is told its process */
  readonly onStart?: (pid: number) => void;
  /** milliseconds for a command that only reads or writes a state; five minutes by default */
  readonly deadline?: number;
}

/** The outcome of a run of the Pulumi CLI. */
export interface PulumiResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** Commands that work on hosts, and take as long as a migration does. */
const long = ['up', 'destroy', 'refresh', 'preview'];
/** Bytes that are kept of what those write: it is for people, and its end says how it went. */
const keptOutput = 4 * 1024 * 1024;

const shortDeadline = 5 * 60_000;
/** Bytes that the others may write: an export is a whole state. */
const longestState = 256 * 1024 * 1024;

/**
 * Runs the Pulumi CLI to its end. The first SIGINT of a terminal reaches only this process, not the CLI: the operation
 * ends at its own safe point. A command that only reads or writes a state is ended when it takes too long, which is a
 * failure of it. Throws LockageError when the CLI cannot be started.
 */
export async function runPulumi(
  settings: PulumiSettings,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<PulumiResult> {
  const { path } = await requirePulumi();
  const env = childEnvironment({ ...variablesFor('pulumi'), ...pulumiEnvironment(settings), ...options.env });
  const command = [path, ...argv, '--non-interactive', '--color=never'];
  const place = { cwd: settings.folder, env };
  let leader: number | undefined;
  const onStart = (pid: number) => {
    leader = pid;
    options.onStart?.(pid);
  };
  try {
    return await (long.includes(argv[0] ?? '') ? runLong : runShort)(command, place, { ...options, onStart });
  } finally {
    if (leader !== undefined) killSession(leader);
  }
}

interface Surroundings {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

async function runShort(
  [path = '', ...argv]: readonly string[],
  place: Surroundings,
  { input = '', onStart, deadline = shortDeadline }: RunOptions,
): Promise<PulumiResult> {
  const called = `\`pulumi ${argv.slice(0, 2).join(' ')}\``;
  const more = { ...place, stdin: input, called, mostOutput: longestState, ...(onStart && { onStart }) };
  const { code, stdout, stderr, late } = await runToEnd(path, argv, deadline, more);
  if (!late) return { stdout, stderr, code: code ?? 1 };
  const why = `error: ${called} did not end within ${deadline / 1000} s: does the backend answer?`;
  return { stdout, stderr: `${stderr}\n${why}`, code: 1 };
}

function runLong(command: readonly string[], place: Surroundings, options: RunOptions): Promise<PulumiResult> {
  const child = startProcess(command, { ...place, detached: true });
  if (child.pid !== undefined) options.onStart?.(child.pid);
  const output = { stdout: new Tail(keptOutput), stderr: new Tail(keptOutput) };
  child.stdout.on('data', (data: Buffer) => {
    output.stdout.push(data);
    options.onOutput?.(data.toString());
  });
  child.stderr.on('data', (data: Buffer) => output.stderr.push(data));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => {
      reject(new LockageError(`the Pulumi CLI does not start: ${cause.message}`, { cause }));
    });
    child.on('close', (code) =>
      resolve({ stdout: output.stdout.text(), stderr: output.stderr.text(), code: code ?? 1 }),
    );
  });
}
