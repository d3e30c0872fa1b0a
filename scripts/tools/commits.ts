import { printable } from '../../pipelines/text/printable.ts';
import { findRepository, fromGit, placesOf, tryGit } from './git.ts';

/** A commit that only one of two is made of. */
export interface Commit {
  /** which of the two: the first, or the second */
  readonly side: 'a' | 'b';
  readonly id: string;
  readonly subject: string;
}

/** Commits, newest first, as far as they are listed. */
export interface Commits {
  readonly listed: readonly Commit[];
  /** there are earlier ones: absent where these are all */
  readonly more?: true;
}

/** The number of commits that are listed at most. */
const mostCommits = 500;

/**
 * Returns the commits that two differ in, of those that changed `parts` of the folder; undefined when the repository does not have
 * both with all between them, or there is none.
 */
export async function commitsBetween(
  cwd: string,
  a: string,
  b: string,
  parts: readonly string[] = [],
): Promise<Commits | undefined> {
  // They come from records: what is no id may be taken for an option.
  if (![a, b].every((id) => /^[0-9a-f]{40,64}$/.test(id))) return undefined;
  if ((await isShallow(cwd)) && (await tryGit(['merge-base', a, b], { cwd })).code !== 0) return undefined;
  const range = ['log', '--left-right', `--max-count=${mostCommits + 1}`, '--format=%m %H %s', `${a}...${b}`, '--'];
  const { code, stdout } = await tryGit([...range, ...(await limits(cwd, parts))], { cwd });
  if (code !== 0) return undefined;
  const found = fromGit(stdout)
    .split('\n')
    .flatMap((line): Commit[] => {
      // Its subject may have any character, also those that other programs take for the end of a line.
      const [, mark, id, subject] = /^([<>]) ([0-9a-f]+) (.*)$/s.exec(line) ?? [];
      return id === undefined ? [] : [{ side: mark === '<' ? 'a' : 'b', id, subject: printable(subject ?? '') }];
    });
  return { listed: found.slice(0, mostCommits), ...(found.length > mostCommits ? { more: true as const } : {}) };
}

/** Returns whether a folder's repository lacks what came before some commit, as those that a CI clones in a hurry. */
export async function isShallow(cwd: string): Promise<boolean> {
  return (await tryGit(['rev-parse', '--is-shallow-repository'], { cwd })).stdout.trim() === 'true';
}

/** Returns the places that commits have to touch; none where that is the whole repository: merges would be left out then. */
async function limits(cwd: string, parts: readonly string[]): Promise<readonly string[]> {
  if (parts.length === 0) return [];
  const repository = await findRepository(cwd).catch(() => undefined);
  if (!repository) return [];
  const places = await placesOf(cwd, parts);
  return places.includes(repository.top) ? [] : places.map((place) => `:(literal)${place}`);
}
