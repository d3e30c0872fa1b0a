import type { PlacedContainer } from './desired-state.ts';
import type { Gate } from './gate.ts';
import type { Release } from './release.ts';
import type { Hold, Revision } from './revision.ts';

/** The action on one container. */
export interface ContainerChange {
  readonly action: 'create' | 'serve' | 'keep' | 'standby' | 'remove';
  readonly host: string;
  readonly role: string;
  readonly version: string;
  readonly name: string;
}

/** A setting of a role that differs from what runs now. */
export interface Difference {
  readonly role: string;
  /** as in the configuration: `limits.memory`, `env.LOG_LEVEL`; absent: the role as a whole */
  readonly key?: string;
  readonly change: 'new' | 'gone' | 'changed';
  /** both as JSON; absent for variables and secrets, whose values are not shown */
  readonly from?: string;
  readonly to?: string;
}

/** A plan of an operation, container by container, before anything is done. */
export interface Plan {
  readonly kind: Revision['kind'];
  readonly environment: string;
  readonly number: number;
  readonly release: Release;
  readonly from?: Revision;
  readonly containers: readonly ContainerChange[];
  /** what of the configuration changes for the roles that run */
  readonly differences: readonly Difference[];
  readonly migration: boolean;
  readonly hold?: Hold;
  /** what the release has passed to get there */
  readonly gates?: readonly Gate[];
  readonly notes: readonly string[];
}

/** The containers before and after an operation. */
export interface ContainerSets {
  /** recorded as existing now */
  readonly existing: readonly PlacedContainer[];
  /** the ones that will get the traffic */
  readonly serving: readonly PlacedContainer[];
  readonly servingBefore: readonly PlacedContainer[];
  /** the ones that will be kept for going back */
  readonly standby: readonly PlacedContainer[];
}

/** Returns what happens to each container: they are created, kept, or removed, and never changed. */
export function changesOf({ existing, serving, servingBefore, standby }: ContainerSets): ContainerChange[] {
  const has = (list: readonly PlacedContainer[], { host, spec }: PlacedContainer) =>
    list.some((other) => other.host.name === host.name && other.spec.name === spec.name);
  const change = (action: ContainerChange['action'], placed: PlacedContainer): ContainerChange => ({
    action,
    host: placed.host.name,
    role: placed.spec.role,
    version: placed.spec.version,
    name: placed.spec.name,
  });
  const kept = [...serving, ...standby];
  return [
    ...serving.map((placed) =>
      change(has(servingBefore, placed) ? 'keep' : has(existing, placed) ? 'serve' : 'create', placed),
    ),
    ...byHost(standby.map((placed) => change('standby', placed))),
    ...byHost(existing.filter((placed) => !has(kept, placed)).map((placed) => change('remove', placed))),
  ];
}

/** Sorts changes by host and role: a state lists its resources in no order of its own. */
function byHost(changes: readonly ContainerChange[]): ContainerChange[] {
  return [...changes].sort(
    (a, b) => a.host.localeCompare(b.host, 'en', { numeric: true }) || a.role.localeCompare(b.role),
  );
}
