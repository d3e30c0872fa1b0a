/** What a stack's state says of its environment. */
import type { Archive } from '../../pipelines/model/archive.ts';
import type { PlacedContainer } from '../../pipelines/model/desired-state.ts';
import { withPending, type EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { Ledger } from '../../pipelines/model/revision.ts';
import type { StackState } from '../pulumi/state.ts';
import { basisOf } from '../resources/basis.ts';
import type { ContainerInputs, LedgerInputs, MigrationInputs, SecretInputs, TurnInputs } from '../resources/inputs.ts';
import { unpacked } from '../resources/packing.ts';

/** Returns whether an environment has a ledger of its own: the first to go where it is removed, and the last to come. */
export function hasLedger(state: StackState | undefined): boolean {
  return inputsOf(state, 'Ledger').length > 0;
}

/** Returns what is recorded of an environment. `archive`: what counts where it has no ledger of its own. */
export function environmentRecord(state: StackState | undefined, archive?: Archive): EnvironmentRecord {
  const [inputs] = inputsOf<LedgerInputs>(state, 'Ledger');
  const ledger = archive?.ledger ?? ledgerOf(inputs);
  const [migration] = inputsOf<MigrationInputs>(state, 'Migration');
  const turn = state?.resources.find(({ type }) => type === 'lockage:index:Turn')?.inputs;
  const [{ attempts, audit } = {}] = inputsOf<Partial<TurnInputs>>(state, 'Turn');
  return {
    // Every change of the stack takes a turn, whatever else it changes.
    basis: basisOf(turn),
    ...withPending(ledger, attempts),
    ...(archive ? { archive } : {}),
    ...(audit ? { audit } : {}),
    containers: inputsOf<ContainerInputs>(state, 'Container').map(({ host, spec }): PlacedContainer => ({
      host,
      spec,
    })),
    ...(migration ? { migration: { host: migration.host, spec: migration.spec, timeout: migration.timeout } } : {}),
    secrets: inputsOf<SecretInputs>(state, 'Secret').map(({ secret, version }) => ({ name: secret, version })),
  };
}

function ledgerOf(inputs: LedgerInputs | undefined): Ledger {
  if (!inputs) return { revisions: [] };
  const revisions = JSON.parse(inputs.revisions) as Ledger['revisions'];
  return {
    revisions,
    ...(inputs.hold ? { hold: inputs.hold } : {}),
    ...(inputs.resumed === undefined ? {} : { resumed: inputs.resumed }),
    ...(inputs.cordons?.length ? { cordons: inputs.cordons } : {}),
    ...(inputs.drill ? { drill: inputs.drill } : {}),
    ...(inputs.schema ? { schema: inputs.schema } : {}),
    ...(inputs.dumps?.length ? { dumps: inputs.dumps } : {}),
    ...(inputs.changed === undefined ? {} : { changed: inputs.changed }),
  };
}

/** Returns what is recorded of each resource of a type. */
export function inputsOf<Inputs>(state: StackState | undefined, type: string): Inputs[] {
  return (state?.resources ?? [])
    .filter((resource) => resource.type === `lockage:index:${type}`)
    .map((resource) => unpacked(resource.inputs) as Inputs);
}
