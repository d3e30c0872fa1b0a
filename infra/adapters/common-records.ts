import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { providerContext, type Session } from '../context/session.ts';
import { OvertakenError } from '../../pipelines/errors.ts';
import type { PulumiSettings } from '../pulumi/cli.ts';
import type { StackRunner } from '../pulumi/stack-runner.ts';
import { readStack } from '../pulumi/state.ts';
import { basisOf, type Basis } from '../resources/basis.ts';
import { unpacked } from '../resources/packing.ts';
import { withFileLock } from '../system/file-lock.ts';
import { changeRecord, type Stored } from './change-record.ts';

/** What is recorded for all environments together: in a stack of its own, with one resource. */
export interface CommonRecord<Value> {
  readonly stack: string;
  readonly type: string;
  /** Returns what is recorded, from the resource's inputs; there are none where nothing is recorded yet. */
  readonly valueOf: (inputs: Partial<Value>) => Value;
}

/** A change of what is recorded for all environments. */
export interface CommonChange<Value> {
  /** Returns what is to be recorded; the very same value where nothing changes. */
  readonly change: (stored: Value) => Value;
  readonly declare: (value: Value, basis: Basis) => unknown;
  /** for the stack's history */
  readonly message?: string;
}

/** Where the records of a project are, and what changes them. */
export interface CommonPlace {
  readonly settings: PulumiSettings;
  /** the project's name in the backend */
  readonly project: string;
  readonly session: Session;
  readonly stacks: () => Promise<StackRunner>;
}

/** How long the other commands on this computer may take to record what they have: ms. */
const turnTimeout = 300_000;
/** How long one of them may show no sign of life meanwhile: ms. */
const mostSilence = 30_000;

/** The records that all environments of a project share. */
export class CommonRecords {
  readonly #place: CommonPlace;

  constructor(place: CommonPlace) {
    this.#place = place;
  }

  async read<Value>({ stack, type, valueOf }: CommonRecord<Value>): Promise<Stored<Value>> {
    const { settings, project } = this.#place;
    const state = await readStack(settings, project, stack);
    const inputs = state?.resources.find((resource) => resource.type === `lockage:index:${type}`)?.inputs;
    return { value: valueOf(unpacked(inputs ?? {}) as Partial<Value>), basis: basisOf(inputs) };
  }

  /**
   * Changes what is recorded for all environments. Commands on this computer share Pulumi's folder for the stack, so they
   * take turns; others meet in the backend.
   */
  async change<Value>(
    record: CommonRecord<Value>,
    { change, declare, message = `record ${record.stack}` }: CommonChange<Value>,
  ): Promise<Value> {
    const { settings, session, stacks: load } = this.#place;
    const { stack } = record;
    const write = async (value: Value, basis: Basis, holds: () => Promise<boolean>) => {
      const stacks = await load();
      if (!(await holds())) throw overtaken(stack);
      const program = async () => void declare(value, basis);
      await stacks.up(stack, program, providerContext(session, false), { message });
    };
    const { folder } = settings;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return withFileLock(
      join(folder, `${stack}.lock`),
      turnTimeout,
      (holds) => {
        const shared = {
          read: () => this.read(record),
          write: (value: Value, basis: Basis) => write(value, basis, holds),
        };
        return changeRecord(shared, change).catch(async (error: unknown) => {
          throw (await holds()) ? error : overtaken(stack);
        });
      },
      { longest: mostSilence, end: async (pid) => (await load()).endRunsOf(stack, pid) },
    );
  }
}

function overtaken(stack: string): OvertakenError {
  return new OvertakenError(`this command stood still while it recorded ${stack}, and another one took over`, {
    hint: 'Run it again: it finds what is recorded by now.',
  });
}
