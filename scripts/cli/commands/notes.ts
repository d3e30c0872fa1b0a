import { releaseStatuses } from '../../../pipelines/inspection/history.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import { compareVersions } from '../../../pipelines/model/version.ts';
import { parseSide, sideOf } from '../../../pipelines/planning/comparison.ts';
import {
  parseRange,
  stepsBetween,
  type NotedRelease,
  type ReleaseNotes,
} from '../../../pipelines/planning/release-notes.ts';
import { partsOf } from '../../project/build-context.ts';
import { commitsBetween, isShallow } from '../../tools/commits.ts';
import type { CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { markdownNotes, notesLines } from '../views/notes.ts';

/** Runs `lockage notes`. */
export async function notesCommand(
  range: string,
  flags: Flags & { readonly markdown?: boolean },
  signal: AbortSignal,
): Promise<void> {
  const names = parseRange(range);
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const [from, to] = await Promise.all(names.map((name) => releaseOf(context, name)));
    if (!from || !to) throw new Error('a range has two ends');
    const notes = await notesOf(context, from, to);
    const isIncomplete = notes.releases.some(({ commits }) => commits === undefined);
    if (isIncomplete && (await isShallow(context.project.root)))
      context.terminal.note('this clone lacks earlier commits: run `git fetch --unshallow` (in CI: fetch-depth: 0)');
    context.terminal.result(notes, flags.markdown ? markdownNotes(notes) : notesLines(notes));
  });
}

async function releaseOf({ project, records }: CommandContext, text: string): Promise<Release> {
  const name = parseSide(project, text);
  const { environment } = name;
  if (environment === undefined) return sideOf(name, { releases: await records.releases() }).release;
  return sideOf(name, { releases: [], record: await records.environment(environment) }).release;
}

async function notesOf({ project, records }: CommandContext, from: Release, to: Release): Promise<ReleaseNotes> {
  const [releases, states] = await Promise.all([
    records.releases(),
    Promise.all(project.environments.map(async ({ name }) => [name, await records.environment(name)] as const)),
  ]);
  const runs = new Map(
    releaseStatuses({ releases, blocks: [] }, states).map((status) => [status.version, status.runs] as const),
  );
  const noted: NotedRelease[] = [];
  for (const [before, { version, digest, commit }] of stepsBetween(from, to, releases)) {
    const found =
      before.commit === undefined || commit === undefined
        ? undefined
        : before.commit === commit
          ? { listed: [] }
          : await commitsBetween(project.root, before.commit, commit, partsOf(project));
    noted.push({
      ...{ version, digest, runs: runs.get(version) ?? [] },
      ...(found
        ? { commits: found.listed.filter(({ side }) => side === 'b').map(({ id, subject }) => ({ id, subject })) }
        : {}),
      ...(found?.more ? { more: true } : {}),
    });
  }
  const back = compareVersions(from.version, to.version) > 0;
  return { from: from.version, to: to.version, back, releases: noted.toReversed() };
}
