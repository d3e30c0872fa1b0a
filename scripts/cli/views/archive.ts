import type { ArchiveSummary } from '../../../pipelines/model/archive.ts';

/** Says when an environment was archived, by whom, and what it ran: `archived 2026-11-29 by anna@desk, 1.4.0`. */
export function archivedText({ since, actor, version }: ArchiveSummary): string {
  return `archived ${since.slice(0, 10)} by ${actor}, ${version}`;
}
