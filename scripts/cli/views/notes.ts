import type { NotedRelease, ReleaseNotes } from '../../../pipelines/planning/release-notes.ts';
import { escapedMarkdown } from '../../../pipelines/text/markdown.ts';
import { colors } from '../../tools/colors.ts';

/** Shows what came with each release, newest first. */
export function notesLines({ from, to, back, releases }: ReleaseNotes): string[] {
  if (releases.length === 0) return [`${from} and ${to} are the same release`];
  const title = back ? `${from} to ${to}: all of this is taken back` : `${from} to ${to}`;
  return [
    colors.bold(title),
    ...releases.flatMap((release) => [
      '',
      `${colors.bold(release.version)}${release.runs.length > 0 ? colors.dim(` runs in ${release.runs.join(', ')}`) : ''}`,
      ...(release.commits ?? []).map(({ id, subject }) => `  ${colors.dim(id.slice(0, 7))} ${subject}`),
      ...otherwise(release).map((text) => `  ${colors.dim(text)}`),
    ]),
  ];
}

/** Writes the same as Markdown (CommonMark). */
export function markdownNotes({ from, to, back, releases }: ReleaseNotes): string[] {
  if (releases.length === 0) return [`${from} and ${to} are the same release.`];
  return [
    `# ${from} to ${to}`,
    ...(back ? ['', 'All of this is taken back.'] : []),
    ...releases.flatMap((release) => [
      '',
      `## ${release.version}`,
      ...(release.runs.length > 0 ? ['', `Runs in ${release.runs.join(', ')}.`] : []),
      '',
      ...(release.commits ?? []).map(({ id, subject }) => `- ${escapedMarkdown(subject)} (\`${id.slice(0, 7)}\`)`),
      ...otherwise(release).map((text) => (release.commits?.length ? `- _${text}_` : `_${text}_`)),
    ]),
  ];
}

function otherwise({ commits, more }: NotedRelease): string[] {
  if (commits === undefined) return ['its commits are not in this repository'];
  if (more) return ['and earlier ones: `git log` has all of them'];
  return commits.length === 0 ? ['no commit of its own'] : [];
}
