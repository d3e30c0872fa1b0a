import { LockageError } from '../errors.ts';
import type { PlacedContainer } from './desired-state.ts';
import { lastNumber, type Fence } from './fence.ts';
import { canonicalJson } from './fingerprint.ts';
import type { EnvironmentRecord } from './ledger.ts';
import { fromRecord, toRecord, type TargetRecord } from './target-record.ts';
import type { Target } from './target.ts';

/** The record of an environment, without the mark that only its own state has. */
export type CopiedRecord = Omit<EnvironmentRecord, 'basis'>;

/** A host's copy of what is recorded of its environment, for operators who have lost it. No value of a secret is in it. */
export interface RecordCopy {
  readonly app: string;
  readonly environment: string;
  /** the operation that recorded it */
  readonly operation: string;
  readonly record: CopiedRecord;
}

/** The things of an environment that a host has, for operators who have lost the record. */
export interface KeptRecord {
  readonly host: Target;
  /** why it does not answer */
  readonly error?: string;
  readonly fence?: Fence;
  readonly copy?: RecordCopy;
  /** why it has no copy, or none that can be read */
  readonly noCopy?: string;
  /** it may have a copy, which could not be read */
  readonly unread?: true;
  /** name of each container of a release, running or resting → hash of its specification */
  readonly containers: ReadonlyMap<string, string>;
}

/** The format of today. What hosts keep must stay readable for good. */
const format = 1;

/** A placed container, with its host as it is recorded. */
interface WrittenContainer {
  readonly host: TargetRecord;
  readonly spec: PlacedContainer['spec'];
}

interface WrittenCopy extends Omit<RecordCopy, 'record'> {
  readonly format: number;
  readonly record: Omit<CopiedRecord, 'containers' | 'migration'> & {
    readonly containers: readonly WrittenContainer[];
    readonly migration?: WrittenContainer & { readonly timeout: number };
  };
}

/** Returns a copy as hosts keep it. Equal copies give equal text. */
export function textOfCopy({ record, ...about }: RecordCopy): string {
  const { containers, migration, ...rest } = record;
  const written: WrittenCopy = {
    format,
    ...about,
    record: {
      ...rest,
      containers: containers.map(({ host, spec }) => ({ host: toRecord(host), spec })),
      ...(migration ? { migration: { ...migration, host: toRecord(migration.host) } } : {}),
    },
  };
  return canonicalJson({ revision: lastNumber(record.ledger), ...written });
}

/** Returns the copy that a host keeps. Throws LockageError when it was written by a later version of Lockage. */
export function copyOf(text: string): RecordCopy {
  const { app, environment, operation, format: found, record } = JSON.parse(text) as WrittenCopy;
  if (found !== format) {
    throw new LockageError(
      `the copy of the record of ${environment} has format ${found}, and ${format} is known here`,
      {
        hint: 'Use the version of Lockage that wrote it, or a later one.',
      },
    );
  }
  const { containers, migration, ...rest } = record;
  return {
    app,
    environment,
    operation,
    record: {
      ...rest,
      containers: containers.map(({ host, spec }) => ({ host: fromRecord(host), spec })),
      ...(migration ? { migration: { ...migration, host: fromRecord(migration.host) } } : {}),
    },
  };
}

/** Returns whether two copies say the same, whoever wrote them and whatever the audit log had by then. */
export function sameRecord(a: RecordCopy, b: RecordCopy): boolean {
  const [one, other] = [a, b].map(({ record: { audit: _, ...record }, ...copy }) =>
    textOfCopy({ ...copy, record, operation: '' }),
  );
  return one === other;
}
