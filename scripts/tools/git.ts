import { realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { childEnvironment, variablesFor, type Variables } from '../../infra/system/environment.ts';
import { startProcess } from '../../infra/system/process.ts';
import { Tail } from '../../infra/system/tail.ts';
import { LockageError } from '../../pipelines/errors.ts';

/** The answer of git about a folder. */
export interface GitTree {
  /** full id of the commit; absent: nothing was ever committed, or there is no repository */
  readonly commit?: string;
  /** paths with uncommitted changes, as `git status` lists them */
  readonly changes: readonly string[];
}

/**
 * A path as git has it: bytes, each as one character, with slashes and relative to the top of the repository. A name need
 * not be UTF-8.
 */
export type GitPath = string;

/** The place of a repository. */
export interface Repository {
  /** its top folder */
  readonly top: string;
  readonly gitDir: string;
  /** the folder it was asked for, from the top; empty for the top itself */
  readonly folder: GitPath;
}

interface GitOptions {
  readonly cwd: string;
  readonly env?: Variables;
  /** bytes for its stdin, each as one character */
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
}

/** An error for a computer without git. */
export class GitMissingError extends LockageError {}

/** Our state is never a change of the project, whatever the project's own .gitignore says. */
const withoutState = [':(top,exclude,glob)**/.lockage', ':(top,exclude,glob)**/.lockage/**'];

/**
 * Reads the commit and the uncommitted changes below `parts`, which a release is made of: whoever else works in the
 * repository, or leaves files in it, is not in the way. Throws LockageError where the repository cannot be read.
 */
export async function readGitTree(folder: string, parts: readonly string[] = ['.']): Promise<GitTree> {
  const head = await tryGit(['rev-parse', '--verify', 'HEAD'], { cwd: folder, env: { LC_ALL: 'C' } }).catch(
    async (error: unknown) => {
      // What is in no repository needs none of it.
      if (error instanceof GitMissingError && !(await hasGitFolder(folder))) return undefined;
      throw error;
    },
  );
  if (!head) return { changes: [] };
  if (head.code !== 0) {
    if (await isUncommitted(folder, head.stderr)) return { changes: [] };
    throw noCommit(folder, head.stderr);
  }
  const places = (await placesOf(folder, parts)).map((place) => `:(literal)${place}`);
  const status = await git(['status', '--porcelain', '--', ...places, ...withoutState], { cwd: folder });
  const changes = fromGit(status).split('\n');
  return { commit: head.stdout.trim(), changes: changes.filter((line) => line !== '') };
}

/** Returns where parts of a folder are, as git sees it. */
export function placesOf(folder: string, parts: readonly string[]): Promise<string[]> {
  return Promise.all(parts.map((part) => realPath(resolve(folder, part))));
}

/** Follows links, as git sees what they lead to; of what is not there, returns the name. */
function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** Returns whether there is no repository, or one without any commit. One that is damaged, or not trusted, may have some. */
async function isUncommitted(folder: string, said: string): Promise<boolean> {
  if (/^fatal: not a git repository \(or any/m.test(said)) return !(await hasGitFolder(folder));
  const [branch, commits] = await Promise.all([
    tryGit(['symbolic-ref', '--quiet', 'HEAD'], { cwd: folder }),
    tryGit(['rev-list', '--all', '--max-count=1'], { cwd: folder }),
  ]);
  return branch.code === 0 && commits.code === 0 && commits.stdout.trim() === '';
}

/** Returns whether a folder, or one above it, has what git does not know as a repository, and may have been one. */
export async function hasGitFolder(folder: string): Promise<boolean> {
  const place = resolve(folder);
  const found = await stat(join(place, '.git')).then(
    () => true,
    () => false,
  );
  return found || (dirname(place) !== place && hasGitFolder(dirname(place)));
}

function noCommit(folder: string, said: string): LockageError {
  const hint = ownershipHint(said);
  if (hint !== undefined) {
    return new LockageError(`git does not trust ${folder}, which belongs to another user`, {
      details: said.trim().split('\n').slice(0, 1),
      hint,
    });
  }
  return new LockageError(`${folder} has no git commit`, {
    details: [said.trim()],
    hint: 'A release is built from a commit: see to what git says, or `git commit` on this branch first.',
  });
}

/** Returns what git itself says to do, as in a container of a CI that another user checked the files out for. */
function ownershipHint(said: string): string | undefined {
  if (!said.includes('dubious ownership')) return undefined;
  const own =
    /git config --global --add safe\.directory .+/.exec(said)?.[0] ?? 'git config --global --add safe.directory';
  return `Run \`${own.trim()}\` if you trust who wrote there.`;
}

/** Finds the repository that a folder is in. Throws LockageError where there is none. */
export async function findRepository(folder: string, env: Variables = {}): Promise<Repository> {
  const cwd = await realpath(folder);
  const ask = async (what: string) => (await git(['rev-parse', what], { cwd, env })).replace(/\n$/, '');
  const gitDir = fromGit(await ask('--absolute-git-dir'));
  const up = fromGit(await ask('--show-cdup'));
  return { top: resolve(cwd, up), gitDir, folder: (await ask('--show-prefix')).replace(/\/$/, '') };
}

/**
 * Returns the repository that a folder is in; where it is in none, one without commits, for what git knows of files that nobody
 * gave it: `scratch` is a folder for that. Throws LockageError.
 */
export async function repositoryAround(folder: string, scratch: string): Promise<Repository> {
  if ((await tryGit(['rev-parse', '--git-dir'], { cwd: folder })).code === 0) return findRepository(folder);
  const env = { GIT_DIR: undefined, GIT_WORK_TREE: undefined, GIT_INDEX_FILE: undefined };
  await git(['init', '--quiet', scratch], { cwd: folder, env });
  return { top: await realpath(folder), gitDir: join(await realpath(scratch), '.git'), folder: '' };
}

/** Git itself names the repository to its hooks in variables, and its index. Paths among them are relative to elsewhere. */
const withoutRepository: Variables = Object.fromEntries(
  [
    ...['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_COMMON_DIR', 'GIT_PREFIX', 'GIT_NAMESPACE'],
    ...['GIT_OBJECT_DIRECTORY', 'GIT_ALTERNATE_OBJECT_DIRECTORIES', 'GIT_SHALLOW_FILE', 'GIT_INTERNAL_SUPER_PREFIX'],
  ].map((name) => [name, undefined]),
);

/**
 * Returns whether the variables name a repository, and a folder is in one anyway: that is its own, as in a hook of git, which
 * may be one of another repository. Who keeps the repository of a folder elsewhere says so by these variables.
 */
async function isItsOwn(cwd: string): Promise<boolean> {
  if (!Object.keys(withoutRepository).some((name) => process.env[name] !== undefined)) return false;
  const env = { ...variablesFor('git'), ...withoutRepository };
  return (await start(['rev-parse', '--git-dir'], { cwd, env })).code === 0;
}

function notStarted(cause: Error): LockageError {
  if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
    return new LockageError(`git does not start: ${cause.message}`, { cause });
  }
  return new GitMissingError('git is not installed here', {
    hint: 'Install it (`apt-get install git`): it tells which files of the folder belong to the project, and of which commit.',
    cause,
  });
}

/** Runs git. Returns its stdout, each byte as one character. Throws LockageError with what it said last. */
export async function git(argv: readonly string[], options: GitOptions): Promise<string> {
  const { code, stdout, stderr } = await tryGit(argv, options);
  options.signal?.throwIfAborted();
  if (code === 0) return stdout;
  const words = argv.filter((word, index) => word !== '-c' && argv[index - 1] !== '-c');
  throw new LockageError(`\`git ${words.slice(0, 3).join(' ')}\` failed in ${options.cwd}`, {
    details: stderr.trim().split('\n').slice(-8),
    ...(/\bgit-lfs\b|filter lfs/.test(stderr)
      ? { hint: 'Install git-lfs, and run `git lfs pull`: files of the commit are kept by it.' }
      : {}),
  });
}

/** Returns a path of this computer as git has it. */
export function toGit(path: string): GitPath {
  return Buffer.from(path).toString('latin1');
}

/** Returns a path of git's for people to read. */
export function fromGit(path: GitPath): string {
  return Buffer.from(path, 'latin1').toString();
}

interface Ended {
  readonly code: number;
  /** each byte as one character */
  readonly stdout: string;
  readonly stderr: string;
}

/** A checkout of a large project on a slow disk takes its time; one that asks somebody would wait for ever. */
const timeout = 30 * 60_000;
/** Bytes of the longest list of files. */
const mostOutput = 256 * 1024 * 1024;

/** Runs git to its end, whatever its exit code. Throws LockageError when it cannot be started. */
export async function tryGit(argv: readonly string[], options: GitOptions): Promise<Ended> {
  const { cwd, env } = options;
  const isTold = env !== undefined && 'GIT_DIR' in env;
  const others = isTold || (await isItsOwn(cwd)) ? withoutRepository : {};
  return start(argv, { ...options, env: { ...variablesFor('git'), ...others, ...env } });
}

function start(argv: readonly string[], { cwd, env, input = '', signal }: GitOptions): Promise<Ended> {
  return new Promise((done, reject) => {
    const variables = childEnvironment(env);
    const child = startProcess(['git', ...argv], { cwd, env: variables, timeout });
    const began = performance.now();
    const stop = () => void child.kill();
    signal?.addEventListener('abort', stop, { once: true });
    const output = { stdout: new Tail(mostOutput), stderr: new Tail(mostOutput) };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (data: Buffer) => {
        output[stream].push(data);
        if (output[stream].truncated) child.kill('SIGKILL');
      });
    }
    // One that ends without reading breaks the pipe.
    child.stdin.on('error', () => undefined).end(input, 'latin1');
    child.on('error', (cause) => reject(notStarted(cause)));
    child.on('close', (code) => {
      signal?.removeEventListener('abort', stop);
      const isLate = code !== 0 && performance.now() - began >= timeout;
      const late = isLate ? `git did not end within ${timeout / 1000} s` : '';
      const why = output.stdout.truncated || output.stderr.truncated ? `git wrote more than ${mostOutput} bytes` : late;
      done({ code: code ?? 1, stdout: output.stdout.text('latin1'), stderr: `${output.stderr.text()}\n${why}` });
    });
  });
}
