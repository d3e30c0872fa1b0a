import type { Inventory } from '../../pipelines/model/inventory.ts';
import type { Target } from '../../pipelines/model/target.ts';
import type { Engine } from '../docker/api/client.ts';
import type { Place } from '../resources/inputs.ts';
import type { Clearing } from '../workloads/runtime.ts';
import { runtimeOf } from '../workloads/runtimes.ts';

/**
 * Lists everything of an environment on a target, whatever the record says. `ownLock`: the caller holds the lock
 * there.
 */
export function inventoryOf(engine: Engine, host: Target, place: Place, ownLock: boolean): Promise<Inventory> {
  return runtimeOf(host).inventory(engine, place, ownLock);
}

/** Removes everything in the inventory, containers first; data only where that is asked for. Ignores what is already gone. */
export function removeInventory(engine: Engine, inventory: Inventory, clearing: Clearing): Promise<void> {
  return runtimeOf(inventory.host).removeInventory(engine, inventory, clearing);
}
