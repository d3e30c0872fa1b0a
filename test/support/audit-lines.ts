import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashOfEntry, lineText, noEntry, type AuditEntry, type AuditLine } from '../../pipelines/model/audit-entry.ts';

const self = { machine: 'desk', pid: 7, pidSpace: 'boot pid:[1]' };

/** Returns an entry that can be appended after the last one. */
export function nextEntry(last: AuditLine | undefined, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    number: (last?.entry.number ?? 0) + 1,
    at: '2026-01-02T00:00:00.000Z',
    kind: 'refusal',
    previous: last?.hash ?? noEntry,
    operation: 'promote',
    actor: 'anna@desk',
    process: self,
    ...more,
  };
}

const perFile = 1000;

/** Writes a log of thousands of entries into a folder, packed, as if they had been appended. */
export function writeLog(folder: string, thousands: number): void {
  mkdirSync(folder, { recursive: true });
  const gates = ['hold', 'block', 'image', 'upstream'].map((gate) => ({
    gate,
    met: true,
    text: `${gate} is as it has to be`,
  }));
  let last: AuditLine | undefined;
  for (let from = 1; from <= thousands * perFile; from += perFile) {
    const lines: string[] = [];
    for (let number = from; number < from + perFile; number += 1) {
      const entry = nextEntry(last, { reason: 'x'.repeat(200), environment: 'prod', gates: gates as never });
      last = { entry, hash: hashOfEntry(entry) };
      lines.push(`${lineText(last)}\n`);
    }
    const name = [from, from + perFile - 1].map((each) => String(each).padStart(12, '0')).join('-');
    writeFileSync(join(folder, `${name}.jsonl`), lines.join(''));
  }
}
