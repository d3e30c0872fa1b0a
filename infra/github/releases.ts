import type { Release } from '../../pipelines/model/release.ts';
import { statusOf, type GitHubClient } from './client.ts';

/** Characters that GitHub takes in the text of a release. */
const longestBody = 100_000;

/** Makes the page of a release with its notes (Markdown), at its tag `vVERSION`. One that is there stays as it is. */
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
  if (found) return;
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

/** Returns the text of the page: as many whole lines of the notes as it takes, and the image in any case. */
function bodyOf(notes: string, image: string): string {
  let room = longestBody - image.length - 100;
  const lines = notes.trim().split('\n');
  const kept = lines.filter((line) => (room -= line.length + 1) >= 0);
  const left = lines.length - kept.length;
  const more = left > 0 ? `\n\nand ${left} more` : '';
  return `${kept.join('\n')}${more}\n\n${image}\n`.trimStart();
}
