import { detailsOf, LockageError, LockedError, messageOf, OvertakenError } from '../../pipelines/errors.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { Inventory } from '../../pipelines/model/inventory.ts';
import type { Target } from '../../pipelines/model/target.ts';
import type { Removal } from '../../pipelines/operations/ports/removal.ts';
import type { StackPart } from '../../pipelines/operations/ports/stacks.ts';
import { providerContext, type Session } from '../context/session.ts';
import { allOf } from '../hosts/all-hosts.ts';
import { inventoryOf, removeInventory } from '../hosts/inventory.ts';
import { queryHosts } from '../hosts/query.ts';
import { foundationStack } from '../pulumi/stack-names.ts';
import type { StackRunner } from '../pulumi/stack-runner.ts';
import type { RecordsAdapter } from './records.ts';

/** Milliseconds that a host has to answer. */
const timeouts = { first: 10_000, total: 60_000 };

interface Dependencies {
  readonly app: string;
  readonly session: Session;
  readonly records: RecordsAdapter;
  readonly stacks: () => Promise<StackRunner>;
}

/** The removal of environments from their hosts, and out of the record. */
export class RemovalAdapter implements Removal {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  async recorded(environment: string): Promise<ReadonlySet<StackPart>> {
    const { records } = this.#dependencies;
    const { ledger, containers, pending, archive } = await records.environment(environment);
    const parts = new Set<StackPart>();
    // The revisions of an archive are in another stack.
    const isRecorded = archive ? pending !== undefined : ledger.revisions.length > 0;
    if (isRecorded || containers.length > 0) parts.add('releases');
    if ((await records.foundation(environment)) !== undefined) parts.add('foundation');
    return parts;
  }

  async inventory({ name }: Environment, targets: readonly Target[]): Promise<readonly Inventory[]> {
    const { app, session } = this.#dependencies;
    const place = { app, environment: name };
    const found = await queryHosts(targets, timeouts, async (host, _signal, onFirstAnswer) => {
      const engine = await session.connections.engine(host);
      onFirstAnswer();
      return inventoryOf(engine, host, place, session.lock?.holdsOn(host.name) ?? false);
    });
    const results = found.map((result): PromiseSettledResult<Inventory> =>
      'error' in result
        ? { status: 'rejected', reason: new LockageError(result.error) }
        : { status: 'fulfilled', value: result.answer },
    );
    return allOf(targets, results, (failed) => `${failed} of ${targets.length} hosts of ${name} do not answer`);
  }

  async destroyStack(environment: string, part: StackPart): Promise<string | undefined> {
    const { session, stacks } = this.#dependencies;
    try {
      await (await stacks()).destroy(stackOf(environment, part), providerContext(session, false));
      return undefined;
    } catch (error) {
      if (error instanceof LockedError || error instanceof OvertakenError) throw error;
      return [messageOf(error), ...detailsOf(error)].join('; ');
    }
  }

  async remove(inventory: Inventory, withData: boolean): Promise<void> {
    const { connections, lock } = this.#dependencies.session;
    const engine = await connections.engine(inventory.host);
    await removeInventory(engine, inventory, { withData, checkLock: async () => lock?.check() });
  }

  async forgetStack(environment: string, part: StackPart): Promise<void> {
    await (await this.#dependencies.stacks()).forget(stackOf(environment, part));
  }

  async forgetHost(environment: string, host: string): Promise<void> {
    const stacks = await this.#dependencies.stacks();
    // The cordon is with the releases: until it is lifted, the same command may be given again.
    for (const part of ['foundation', 'releases'] as const) {
      await stacks.forgetHosts(stackOf(environment, part), [host]);
    }
  }
}

function stackOf(environment: string, part: StackPart): string {
  return part === 'releases' ? environment : foundationStack(environment);
}
