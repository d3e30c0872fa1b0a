import { CustomResource, type Resource } from '@pulumi/pulumi';
import { declarations } from './declared.ts';

/** A resource that a stack's state has. */
export interface RecordedResource {
  readonly urn: string;
  readonly type: string;
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
