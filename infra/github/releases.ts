import type { Release } from '../../pipelines/model/release.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { statusOf, type GitHubClient } from './client.ts';

/** Characters that GitHub takes in the text of a release. */
const longestBody = 100_000;

/**
 * Makes the page of a release with its notes (Markdown), at its tag `vVERSION`. One that is there stays as it is. Throws
 * LockageError when that is the page of another application of the same repository.
 */
export async function publishRelease(
  { octokit, repo }: GitHubClient,
  { version, commit, digest, repository, dirty }: Release,
  notes: string,
): Promise<void> {
  // What nobody committed has no place at a tag.
  if (commit === undefined || dirty) return;
  const tag = `v${version}`;
  const found = await octokit.rest.repos.getReleaseByTag({ ...repo, tag }).catch((error: unknown) => {
    if (statusOf(error) === 404) return undefined;
    throw error;
  });
  if (found) return refuseOthers(tag, repository, found.data.body ?? '');
  const image = `\`${repository}@${digest}\`\n\nof commit ${commit}`;
  await octokit.rest.repos.createRelease({
    ...repo,
    tag_name: tag,
    target_commitish: commit,
    name: version,
    body: bodyOf(notes, image),
    prerelease: version.includes('-'),
  });
}

/** The line of a page that names its image. What a person wrote has none. */
const imageLine = /^`(\S+)@sha256:[0-9a-f]{64}`$/gm;

function refuseOthers(tag: string, repository: string, body: string): void {
  // Notes come before it, and may name another one.
  const image = [...body.matchAll(imageLine)].at(-1)?.[1];
  if (image === undefined || image === repository) return;
  throw new LockageError(`the page at ${tag} is of ${image}, another application of the same repository`, {
    hint: 'Only one application of a repository can have pages: leave `github.releases` out for the others.',
  });
}

/** Returns the text of the page: as many whole lines of the notes as it takes, and the image in any case. */
function bodyOf(notes: string, image: string): string {
  let room = longestBody - image.length - 100;
  const lines = notes.trim().split('\n');
  const kept = lines.filter((line) => (room -= line.length + 1) >= 0);
  const left = lines.length - kept.length;
  const more = left > 0 ? `\n\nand ${left} more` : '';
  return `${kept.join('\n')}${more}\n\n${image}\n`.trimStart();
}
