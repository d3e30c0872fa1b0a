import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { runToEnd, type Ended } from '../../infra/system/process.ts';
import { InterruptedError, LockageError, messageOf } from '../../pipelines/errors.ts';
import type { OperationFacts, OperationPoint } from '../../pipelines/operations/observers.ts';
import { didYouMean } from '../../pipelines/text/suggest.ts';

/*
 * The hooks of a project: programs in its folder `hooks`, each named for the point at which it runs, as those of Kamal. They
 * are the operator's own, and run here with the operator's variables, like the commands that print secrets; what is known of
 * the operation is in variables that begin with LOCKAGE_.
 */

export type HookPoint = 'pre-connect' | OperationPoint | 'post-deploy';

export const hooksFolder = 'hooks';
const points: readonly HookPoint[] = ['pre-connect', 'pre-build', 'pre-deploy', 'post-deploy'];

/** Variables of the operator that open the state: nothing that a hook has to do needs them. */
const keysOfState = new Set(['PULUMI_CONFIG_PASSPHRASE', 'PULUMI_CONFIG_PASSPHRASE_FILE']);
/** Characters of a line that are shown. */
const longestLine = 10_000;
/** Characters of a line that has no end yet: one that is longer is not shown, as a secret that is cut is none that is known. */
const longestRest = 1_000_000;

/** The surroundings of a project's hooks. */
export interface HookSettings {
  readonly root: string;
  readonly app: string;
  readonly actor: string;
  /** milliseconds that each has */
  readonly timeout: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onStart: () => void;
  /** returns a text with secrets masked */
  readonly mask: (text: string) => string;
  /** shows a line of a hook's output */
  readonly show: (line: string) => void;
  /** returns ISO 8601: now */
  readonly time: () => string;
}

/** The facts that a hook is told: how an operation ended only once it has. */
export interface HookFacts extends OperationFacts {
  readonly outcome?: string;
  /** milliseconds */
  readonly duration?: number;
}

/**
 * Runs the hook of a point, if the project has one; waits for its end. Returns whether there was one. Throws LockageError when
 * it cannot be started, ends with another code than 0, or too late; InterruptedError when the operator stopped it.
 */
export async function runHook(point: HookPoint, facts: HookFacts, settings: HookSettings): Promise<boolean> {
  const file = join(settings.root, hooksFolder, point);
  if (!(await isThere(file, point))) return false;
  const lines = new Lines(settings);
  settings.onStart();
  const ended = await runToEnd(file, [], settings.timeout, {
    cwd: settings.root,
    called: `${hooksFolder}/${point}`,
    env: variablesOf(point, facts, settings),
    onOutput: (stream, data) => lines.push(stream, data),
    signal: settings.signal,
    forPeople: true,
  }).catch((error: unknown) => {
    throw notStarted(point, error);
  });
  lines.end();
  if (settings.signal.aborted) throw new InterruptedError(`interrupted in ${hooksFolder}/${point}`);
  if (ended.code !== 0) throw failed(point, ended, settings.timeout);
  return true;
}

/**
 * Checks the names in the folder of hooks: one that is misspelt would never run, and what it checks would never be checked.
 * Other files, as a hook's own parts, are nobody's business. Throws LockageError.
 */
export async function checkHookNames(root: string): Promise<void> {
  const names = await readdir(join(root, hooksFolder)).catch(() => []);
  const strange = names.filter(
    (name) => /^(?:pre|post)[-_]/.test(name) && !name.endsWith('.sample') && !points.some((point) => point === name),
  );
  if (strange.length === 0) return;
  throw new LockageError('there are hooks that would never run', {
    details: strange.map((name) => `${hooksFolder}/${name}${didYouMean(name, points)}`),
    hint: `Hooks are called ${points.join(', ')}, without an ending; rename or remove the others, or say \`--skip-hooks\`.`,
  });
}

/** Throws LockageError for one that is there and cannot run: it was meant to. */
async function isThere(file: string, point: HookPoint): Promise<boolean> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw notStarted(point, error);
  });
  if (found === undefined) return false;
  if (found.isFile() && (found.mode & 0o111) !== 0) return true;
  throw new LockageError(`${hooksFolder}/${point} ${found.isFile() ? 'may not be executed' : 'is no file'}`, {
    hint: `Run \`chmod +x ${hooksFolder}/${point}\`, or say \`--skip-hooks\`.`,
  });
}

/** Returns all variables of a hook: the operator's own, and those that say what it is about. None has a secret of a release. */
function variablesOf(point: HookPoint, facts: HookFacts, settings: HookSettings): NodeJS.ProcessEnv {
  const { release, previous, duration } = facts;
  const told: Readonly<Record<string, string | undefined>> = {
    HOOK: point,
    APP: settings.app,
    ACTOR: settings.actor,
    TIME: settings.time(),
    COMMAND: facts.operation,
    ENVIRONMENT: facts.environment,
    VERSION: release?.version ?? facts.version,
    DIGEST: release?.digest,
    IMAGE: release && `${release.repository}@${release.digest}`,
    COMMIT: release?.commit,
    PREVIOUS_VERSION: previous?.version,
    HOSTS: facts.hosts?.join(','),
    ROLES: facts.roles?.join(','),
    REVISION: facts.revision?.toString(),
    REASON: facts.reason,
    OUTCOME: facts.outcome,
    SECONDS: duration === undefined ? undefined : (duration / 1000).toFixed(1),
  };
  const named = Object.entries(told).flatMap(([name, value]) =>
    // A variable that ends in the middle would be a lie; none can hold this character.
    value === undefined ? [] : [[`LOCKAGE_${name}`, value.replaceAll('\0', '')]],
  );
  const isOthers = (name: string) =>
    !keysOfState.has(name) && !(name.startsWith('LOCKAGE_') && Object.hasOwn(told, name.slice(8)));
  const own = Object.entries(settings.env).filter(([name]) => isOthers(name));
  return { ...Object.fromEntries(own), ...Object.fromEntries(named) };
}

function notStarted(point: HookPoint, error: unknown): LockageError {
  if (error instanceof LockageError && !error.message.includes('is not installed')) return error;
  const { code } = error as NodeJS.ErrnoException;
  // The kernel says so of a script whose interpreter is not there.
  const why = code === undefined ? `${messageOf(error)}, or its first line names a program that is not` : code;
  return new LockageError(`${hooksFolder}/${point} does not start: ${why}`, {
    hint: 'Its first line has to name its interpreter, as `#!/bin/sh`; or say `--skip-hooks`.',
    cause: error,
  });
}

function failed(point: HookPoint, { code, late }: Ended, timeout: number): LockageError {
  const why = late ? `did not end within ${timeout / 1000} s` : `ended with ${code ?? 'a signal'}`;
  return new LockageError(`${hooksFolder}/${point} ${why}`, {
    hint: 'Its output is above. `--skip-hooks` leaves all hooks out.',
  });
}

/** The output of a program, line by line as it comes. */
class Lines {
  readonly #settings: Pick<HookSettings, 'mask' | 'show'>;
  readonly #streams = {
    stdout: { decoder: new StringDecoder(), rest: '', isTooLong: false },
    stderr: { decoder: new StringDecoder(), rest: '', isTooLong: false },
  };

  constructor(settings: Pick<HookSettings, 'mask' | 'show'>) {
    this.#settings = settings;
  }

  push(name: 'stdout' | 'stderr', data: Buffer): void {
    const stream = this.#streams[name];
    const lines = (stream.rest + stream.decoder.write(data)).split(/[\r\n]+/);
    const rest = lines.pop() ?? '';
    for (const line of lines) {
      this.#end(line, stream.isTooLong);
      stream.isTooLong = false;
    }
    stream.isTooLong ||= rest.length > longestRest;
    stream.rest = stream.isTooLong ? '' : rest;
  }

  end(): void {
    for (const { rest, isTooLong } of Object.values(this.#streams)) this.#end(rest, isTooLong);
  }

  #end(line: string, isTooLong: boolean): void {
    const { mask, show } = this.#settings;
    if (isTooLong) show(`(a line of more than ${longestRest} characters)`);
    else if (line.trim() !== '') show(mask(line).slice(0, longestLine));
  }
}
