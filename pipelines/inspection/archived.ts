import type { Archive } from '../model/archive.ts';
import type { EnvironmentStatus } from './status.ts';

/** Returns an archived environment as `status` shows it: no host is asked, as it runs nothing. */
export function archivedStatus(archive: Archive): EnvironmentStatus {
  const { ledger: _, ...archived } = archive;
  const { environment: name } = archive;
  return {
    name,
    hosts: { ready: 0, total: 0 },
    problems: archive.removed ? [] : [`not all of it is removed: \`lockage archive ${name}\` goes on`],
    rollback: [],
    cordons: [],
    archived,
  };
}
