import { RecordChangedError } from '../../pipelines/errors.ts';
import type { DesiredState } from '../../pipelines/model/desired-state.ts';
import { ended, lastNumber } from '../../pipelines/model/fence.ts';
import type { FoundationRequest, Stacks } from '../../pipelines/operations/ports.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { providerContext, type Session } from '../context/session.ts';
import { hostRoutes } from '../edge/host-routes.ts';
import { deliverRoutes } from '../provider/switch-routes.ts';
import { takeTurn } from '../provider/turn.ts';
import type { PulumiStacks, UpOptions } from '../pulumi/stacks.ts';
import type { FoundationAdapter } from './foundation.ts';

interface Dependencies {
  readonly session: Session;
  readonly foundation: FoundationAdapter;
  /** loads Pulumi, which is only needed for changes */
  readonly stacks: () => Promise<PulumiStacks>;
}

/** Environments as Pulumi stacks: the foundation that stays, and the releases that come and go. */
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
    await this.#up(desired, context, { message: 'what is tried', only: { type: 'Turn', name: 'turn' } });
  }

  async deploy(desired: DesiredState, message: string): Promise<void> {
    const context = providerContext(this.#dependencies.session, desired.guarded);
    // Every engine unpacks the routes in a process of its own, while Pulumi derives a key from its passphrase.
    const delivered = desired.guarded ? deliverRoutes(context, desired, hostRoutes(desired)) : undefined;
    // The barrier awaits it, and sends them itself where this failed.
    delivered?.catch(() => undefined);
    try {
      await this.#up(desired, { ...context, ...(delivered ? { delivered } : {}) }, { message });
    } finally {
      await delivered?.catch(() => undefined);
    }
    await this.#tellRecorded(desired);
  }

  async #up(desired: DesiredState, context: ProviderContext, options: UpOptions): Promise<void> {
    const { session, stacks } = this.#dependencies;
    const [pulumi, { environmentProgram }] = await Promise.all([stacks(), import('../programs/release.ts')]);
    const { environment } = desired;
    try {
      await pulumi.up(environment, environmentProgram(desired, session.secrets), context, options);
    } catch (error) {
      if (!(error instanceof RecordChangedError)) throw error;
      throw new RecordChangedError(`${environment} was changed by somebody else meanwhile: nothing was done`, {
        hint: `Look at \`lockage history ${environment}\`, then run the same command again.`,
        cause: error,
      });
    }
  }

  /** A host that is not told takes the operation for one that was killed, and lets the next one take over. */
  async #tellRecorded(desired: DesiredState): Promise<void> {
    const { app, environment, operation, turn, ledger } = desired;
    if (turn.recorded >= turn.revision || lastNumber(ledger) < turn.revision) return;
    const hosts = hostRoutes(desired).map(({ host }) => host);
    const told = { app, environment, operation, turn: ended(turn), hosts };
    await takeTurn(providerContext(this.#dependencies.session, false), told).catch(() => undefined);
  }
}
