import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditLogAdapter } from '../../infra/adapters/audit-log.ts';
import { judgeAudit } from '../../pipelines/inspection/audit.ts';
import { nextEntry, writeLog } from '../support/audit-lines.ts';
import { figure, type Row } from './measure.ts';
import type { Part } from './parts.ts';

/** Entries that are appended for one figure. */
const appended = 20;
/** Milliseconds that judging a hundred thousand entries may take. */
const longest = 5000;

/** An audit log of a hundred thousand entries beside an empty one: what an operation waits for, and what judging it takes. */
export const auditPart: Part = {
  name: 'audit',
  environments: {},
  async withoutHosts({ rounds }) {
    const root = await mkdtemp(join(tmpdir(), 'lockage-bench-audit-'));
    try {
      const logOf = (name: string) =>
        new AuditLogAdapter({ app: 'shop', folder: join(root, name), memory: join(root, `${name}.json`) });
      writeLog(join(root, 'long'), 100);
      const [short, long] = [logOf('short'), logOf('long')];
      const [beside, ours, judged]: [number[], number[], number[]] = [[], [], []];
      for (let round = 0; round < rounds; round += 1) {
        beside.push(await append(short));
        ours.push(await append(long));
        judged.push(await judge(long));
      }
      return [
        row('an entry appended to 100,000', ours, { baseline: figure(beside), against: 'to an empty log' }),
        row('100,000 entries judged', judged, { goal: 'under 5 s', met: figure(judged).median < longest }),
      ];
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  },
  measure: () => Promise.resolve([]),
};

function row(what: string, times: readonly number[], rest: Partial<Row>): Row {
  return { part: 'audit', what, unit: 'ms', ours: figure(times), ...rest };
}

async function append(log: AuditLogAdapter): Promise<number> {
  const started = performance.now();
  for (let count = 0; count < appended; count += 1) await log.append((last) => nextEntry(last));
  return (performance.now() - started) / appended;
}

async function judge(log: AuditLogAdapter): Promise<number> {
  const started = performance.now();
  const lines = (await log.lines()).map(({ text, file }) => ({ text, place: file }));
  const { problems } = judgeAudit(lines, { app: 'shop', anchors: [] });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return performance.now() - started;
}
