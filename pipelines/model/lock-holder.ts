/** The process that changes an environment, its user, and since when. */
export interface LockHolder {
  readonly actor: string;
  readonly machine: string;
  readonly pid: number;
  /** where `pid` is valid: a boot of a computer, and a pid namespace; absent in records of earlier versions */
  readonly pidSpace?: string;
  /** ISO 8601 */
  readonly since: string;
  readonly purpose: string;
}
