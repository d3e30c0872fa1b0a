import { messageOf, RecordChangedError } from '../../pipelines/errors.ts';
import type { DesiredState } from '../../pipelines/model/desired-state.ts';
import { ended, lastNumber } from '../../pipelines/model/fence.ts';
import type { JobResult } from '../../pipelines/model/verification.ts';
import { textOfCopy } from '../../pipelines/model/record-copy.ts';
import type { CopyRequest, FoundationRequest, Stacks } from '../../pipelines/operations/ports/stacks.ts';
import { partKey, type ProviderContext } from '../context/provider-context.ts';
import { providerContext, type Session } from '../context/session.ts';
import { hostRoutes } from '../edge/host-routes.ts';
import { keepRecord } from '../provider/keep-record.ts';
import { deliverRoutes } from '../provider/switch-routes.ts';
import type { StackRunner, UpOptions } from '../pulumi/stack-runner.ts';
import type { FoundationAdapter } from './foundation.ts';
import { stoodOn } from './recorded-revision.ts';
import type { RecordsAdapter } from './records.ts';

interface Dependencies {
  readonly app: string;
  /** as it is configured */
  readonly edgeImage: string;
  readonly session: Session;
  readonly records: RecordsAdapter;
  readonly foundation: FoundationAdapter;
  /** loads Pulumi, which is only needed for changes */
  readonly stacks: () => Promise<StackRunner>;
}

/** The environments as Pulumi stacks: the foundation that stays, and the releases that come and go. */
export class StacksAdapter implements Stacks {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  foundationNotes(request: FoundationRequest): Promise<readonly string[]> {
    return this.#dependencies.foundation.notes(request);
  }

  foundation(request: FoundationRequest, options: { readonly leaving: 'stay' | 'go' }): Promise<void> {
    return this.#dependencies.foundation.make(request, options.leaving);
  }

  async recordAttempt(desired: DesiredState): Promise<void> {
    const context = providerContext(this.#dependencies.session, false);
    const options = { message: 'what is tried', only: { type: 'Turn', name: 'turn' } };
    const claimed = this.#claimed(desired);
    await this.#up(claimed, context, options);
    await this.#tellRecorded(claimed);
  }

  /**
   * Returns the state with the turn of the lock's holder: hosts that were told of one hear the same from whatever it
   * does.
   */
  #claimed(desired: DesiredState): DesiredState {
    const { lock } = this.#dependencies.session;
    return lock ? { ...desired, turn: lock.turnOf(desired.turn) } : desired;
  }

  async deploy(wanted: DesiredState, message: string): Promise<void> {
    const desired = await this.#withStoodOn(this.#claimed(wanted));
    const replaced = new Set((desired.anew ?? []).map(({ host, spec }) => partKey(host, spec.name)));
    const context = { ...providerContext(this.#dependencies.session, desired.guarded), replaced };
    // Every engine unpacks the routes in a process of its own, while Pulumi derives a key from its passphrase.
    const delivered = desired.guarded ? deliverRoutes(context, desired, hostRoutes(desired)) : undefined;
    // The barrier awaits it, and sends them itself where this failed.
    delivered?.catch(() => undefined);
    const { environment, turn, attempts = [] } = desired;
    // Hosts learn the number of what was tried before: should this be killed as well, they have its record, too.
    const wereTried = attempts.some(({ number }) => number < turn.revision);
    if (wereTried) await this.copyRecord({ environment, hosts: hostRoutes(desired).map(({ host }) => host), turn });
    try {
      const told = { jobResults: new Array<JobResult>(), gaps: {} };
      await this.#up(desired, { ...context, ...told, ...(delivered ? { delivered } : {}) }, { message });
    } finally {
      await delivered?.catch(() => undefined);
    }
    await this.#tellRecorded(desired);
  }

  async adopt(wanted: DesiredState, message: string): Promise<void> {
    const desired = this.#claimed(wanted);
    await this.#up(desired, { ...providerContext(this.#dependencies.session, false), adopts: true }, { message });
    await this.#tellRecorded(desired);
  }

  /** Adds to the revision that is made what it stands on, as that is recorded by now: it can be reproduced so later. */
  async #withStoodOn(desired: DesiredState): Promise<DesiredState> {
    const { records, edgeImage } = this.#dependencies;
    const { environment, ledger, migration } = desired;
    const made = ledger.revisions.at(-1);
    if (desired.startedAt === undefined || made?.result !== 'succeeded') return desired;
    const [standing, owners] = await Promise.all([records.standing(environment), records.secretOwners(environment)]);
    const { migration: last, ...stands } = stoodOn({ standing, owners, edgeImage, migration });
    // The one that ran last may be that of another release, to which a rollback does not go back.
    const { version } = made.release;
    const known = ledger.revisions.findLast((each) => each.stoodOn?.migration?.version === version)?.stoodOn?.migration;
    const own = last?.version === version ? last : known;
    const revision = { ...made, stoodOn: { ...stands, ...(own ? { migration: own } : {}) } };
    return { ...desired, ledger: { ...ledger, revisions: [...ledger.revisions.slice(0, -1), revision] } };
  }

  adoptFoundation(request: FoundationRequest): Promise<readonly string[]> {
    return this.#dependencies.foundation.adopt(request);
  }

  async copyRecord({ environment, hosts, turn: wanted }: CopyRequest): Promise<void> {
    const { app, session, records } = this.#dependencies;
    const turn = session.lock?.turnOf(wanted) ?? wanted;
    try {
      // Its mark is that of this state, and of no other.
      const { basis: _, ...record } = await records.environment(environment);
      const { operation } = turn;
      const copy = textOfCopy({ app, environment, operation, record });
      await keepRecord(providerContext(session, false), { app, environment, operation, turn, hosts }, copy);
    } catch (error) {
      session.progress({ host: environment, step: 'no copies', detail: `of the record: ${messageOf(error)}` });
    }
  }

  async #up(desired: DesiredState, context: ProviderContext, options: UpOptions): Promise<void> {
    const { session, stacks } = this.#dependencies;
    const [pulumi, { environmentProgram }, { attemptProgram }] = await Promise.all([
      stacks(),
      import('../programs/release.ts'),
      import('../programs/attempt.ts'),
    ]);
    const { environment } = desired;
    const program = options.only ? attemptProgram(desired) : environmentProgram(desired, session.secrets, context);
    try {
      await pulumi.up(environment, program, context, options);
    } catch (error) {
      if (!(error instanceof RecordChangedError)) throw error;
      throw new RecordChangedError(`${environment} was changed by somebody else meanwhile: nothing was done`, {
        hint: `Look at \`lockage history ${environment}\`, then run the same command again.`,
        cause: error,
      });
    }
  }

  async #tellRecorded(desired: DesiredState): Promise<void> {
    const { environment, turn, ledger } = desired;
    const hosts = hostRoutes(desired).map(({ host }) => host);
    const isRecorded = lastNumber(ledger) >= turn.revision;
    await this.copyRecord({ environment, hosts, turn: isRecorded ? ended(turn) : turn });
  }
}
