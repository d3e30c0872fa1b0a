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
    body: `${notes.trim()}\n\n${image}\n`.trimStart().slice(0, longestBody),
    prerelease: version.includes('-'),
  });
}
