import type { AuditEntry, AuditHead, AuditLine, AuditProcess } from '../../model/audit-entry.ts';

/** The audit log of a project, which all operators share who share its backend. Calls throw LockageError. */
export interface AuditLog {
  /** all who share the backend share it: what they know of its end is compared */
  readonly isShared: boolean;
  /** Returns the last entry; undefined when there is none. */
  last(): Promise<AuditLine | undefined>;
  /**
   * Appends the entry that `make` returns, and makes it durable. Asks again with the last entry of then when somebody else
   * was quicker, so that no two entries follow the same one. Returns it as it was written.
   */
  append(make: (last: AuditLine | undefined) => AuditEntry): Promise<AuditLine>;
  /** Returns whether an entry with that number has that hash. */
  has(head: AuditHead): Promise<boolean>;
  /**
   * Returns what some work with the log comes to; undefined when that takes longer than milliseconds, and it goes on. To wait keeps
   * no process alive.
   */
  within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined>;
  /** Returns the newest entry that this computer has ever seen; undefined when it has seen none. */
  seen(): Promise<AuditHead | undefined>;
  /** Returns what this process is. */
  process(): Promise<AuditProcess>;
  /** Returns whether a process has ended for certain: it was one of this computer, and is gone. */
  hasEnded(process: AuditProcess): Promise<boolean>;
}
