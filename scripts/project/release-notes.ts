import { compareVersions } from '../../pipelines/model/version.ts';
import type { Release } from '../../pipelines/model/release.ts';
import { escapedMarkdown } from '../../pipelines/text/markdown.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import { commitsBetween } from '../tools/commits.ts';
import { partsOf } from './build-context.ts';

/**
 * Returns the notes (Markdown) of a release: the commits since the one before it, newest first; nothing where the repository
 * does not have both.
 */
export async function releaseNotes(
  project: Pick<Project, 'root' | 'build'>,
  release: Release,
  releases: readonly Release[],
): Promise<string> {
  const [before] = releases
    .filter(({ version, commit }) => commit !== undefined && compareVersions(version, release.version) < 0)
    .sort((a, b) => compareVersions(b.version, a.version));
  if (before?.commit === undefined || release.commit === undefined) return '';
  const found = await commitsBetween(project.root, before.commit, release.commit, partsOf(project));
  const lines = [
    ...(found?.listed ?? [])
      .filter(({ side }) => side === 'b')
      .map(({ id, subject }) => `- ${id.slice(0, 7)} ${escapedMarkdown(subject)}`),
    ...(found?.more ? ['- and earlier ones'] : []),
  ];
  return lines.length === 0 ? '' : `Since ${before.version}:\n\n${lines.join('\n')}\n`;
}
