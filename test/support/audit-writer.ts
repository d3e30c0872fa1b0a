import { AuditLogAdapter } from '../../infra/adapters/audit-log.ts';
import { noEntry, type AuditEntry } from '../../pipelines/model/audit-entry.ts';

// A program that appends to an audit log, as one operator of several: FOLDER MEMORY ACTOR COUNT.
const [folder = '', memory = '', actor = '', count = '1'] = process.argv.slice(2);
const log = new AuditLogAdapter({ app: 'shop', folder, memory });
const self = await log.process();
for (let written = 0; written < Number(count); written += 1) {
  const line = await log.append((last): AuditEntry => ({
    number: (last?.entry.number ?? 0) + 1,
    at: new Date().toISOString(),
    kind: 'refusal',
    previous: last?.hash ?? noEntry,
    operation: 'promote',
    actor,
    process: self,
    exitCode: 2,
  }));
  process.stdout.write(`${line.entry.number}\n`);
}
