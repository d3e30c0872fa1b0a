import { CustomResource } from '@pulumi/pulumi';
import { declarations } from '../resources/declared.ts';
import type { StateResource } from './state.ts';

const prefix = 'lockage:index:';

class Kept extends CustomResource {}

/**
 * Declares what is recorded in a stack and is not declared. A run that changes one resource only leaves these as they are,
 * whatever is said of them here, and refuses to do without those that depend on that one.
 */
export function keepOthers(recorded: readonly StateResource[]): void {
  for (const { type, urn } of recorded) {
    if (!type.startsWith(prefix)) continue;
    const name = urn.split('::').at(-1) ?? '';
    if (!declarations.hasName({ type: type.slice(prefix.length), name })) new Kept(type, name, {});
  }
}
