import type { Inventory } from '../../../pipelines/model/inventory.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';

/** Shows what will be removed from each host, and what stays. */
export function inventoryLines(hosts: readonly Inventory[], withData: boolean): string[] {
  const remove = colors.red('- remove');
  const rows = hosts.flatMap(({ host, containers, networks, volumes, data, secrets }) => [
    ...containers.map(({ name, part }) => [remove, host.name, part, name]),
    ...networks.map((name) => [remove, host.name, 'network', name]),
    ...volumes.map((name) => [remove, host.name, 'volume', name]),
    ...secrets.map((name) => [remove, host.name, 'secret', name]),
    ...data.map((name) => [withData ? remove : colors.dim('= keep'), host.name, 'data', name]),
  ]);
  return table(rows.map(([action = '', ...rest]) => [`  ${action}`, ...rest]));
}
