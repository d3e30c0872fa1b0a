import { CustomResource, type Resource } from '@pulumi/pulumi';
import { declarations, declare, type ResourceName } from './declared.ts';

/** A resource that a stack's state has. */
export interface RecordedResource {
  readonly urn: string;
  readonly type: string;
  readonly inputs?: Record<string, unknown>;
}

const prefix = 'lockage:index:';

class Kept extends CustomResource {}

/**
 * Declares what is recorded in a stack, in its order and after a resource, unless it is declared already. A run that changes
 * that one only leaves the others as they are, whatever is said of them here; it refuses to do without those that depend on
 * it, also where no program declares them any more.
 */
export function keepOthers(recorded: readonly RecordedResource[], after: Resource): void {
  let last = after;
  for (const { type, urn } of recorded) {
    if (!type.startsWith(prefix)) continue;
    const name = urn.split('::').at(-1) ?? '';
    if (declarations.hasName({ type: type.slice(prefix.length), name })) continue;
    last = new Kept(type, name, {}, { dependsOn: [last] });
  }
}

/** Declares resources of ours once more as they are recorded, so that nothing is done to them; each after those before it, as it may need them. */
export function keepAsRecorded(
  recorded: readonly RecordedResource[],
  isKept: (resource: ResourceName) => boolean,
): void {
  let last: Resource | undefined;
  for (const { type, urn, inputs = {} } of recorded) {
    const resource = { type: type.slice(prefix.length), name: urn.split('::').at(-1) ?? '' };
    if (!type.startsWith(prefix) || !isKept(resource)) continue;
    declare(resource, inputs);
    last = new Kept(type, resource.name, inputs, last ? { dependsOn: [last] } : {});
  }
}
