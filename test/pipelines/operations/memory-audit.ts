import { hashOfEntry, type AuditEntry, type AuditHead, type AuditLine } from '../../../pipelines/model/audit-entry.ts';
import type { AuditLog } from '../../../pipelines/operations/ports/audit.ts';

const self = { machine: 'desk', pid: 1, pidSpace: 'boot pid:[1]' };

/** An audit log in memory, which a test may break. */
export class MemoryAudit implements AuditLog {
  isShared = true;
  lines: AuditLine[] = [];
  newest: AuditHead | undefined;
  /** thrown by whatever reads or writes it */
  broken: Error | undefined;
  /** process ids that are gone */
  readonly gone = new Set<number>();
  pid = self.pid;

  /** whoever reads or writes it gets no answer any more */
  hangs = false;
  /** the milliseconds that operations waited for it at most */
  readonly waits: number[] = [];

  async last(): Promise<AuditLine | undefined> {
    if (this.hangs) return new Promise(() => undefined);
    if (this.broken) throw this.broken;
    return this.lines.at(-1);
  }

  async append(make: (last: AuditLine | undefined) => AuditEntry): Promise<AuditLine> {
    const entry = make(await this.last());
    const line = { entry, hash: hashOfEntry(entry) };
    this.lines.push(line);
    this.newest = { number: entry.number, hash: line.hash };
    return line;
  }

  async has({ number, hash }: AuditHead): Promise<boolean> {
    if (this.broken) throw this.broken;
    return this.lines.some((line) => line.entry.number === number && line.hash === hash);
  }

  /** Time passes at once where the log hangs. */
  async within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
    this.waits.push(milliseconds);
    return this.hangs ? undefined : work;
  }

  async seen(): Promise<AuditHead | undefined> {
    return this.newest;
  }

  async process() {
    return { ...self, pid: this.pid };
  }

  async hasEnded({ pid }: { readonly pid: number }): Promise<boolean> {
    return this.gone.has(pid);
  }

  /** Returns the entries as `promote intent`, `promote outcome 0`. */
  texts(): string[] {
    return this.lines.map(({ entry: { operation, kind, exitCode } }) =>
      [operation, kind, ...(exitCode === undefined ? [] : [exitCode])].join(' '),
    );
  }
}
