import type { Accessory } from '../../model/environment.ts';
import { isIpAddress, isPrivateAddress } from '../../model/ip-address.ts';
import { didYouMean } from '../../text/suggest.ts';
import type { Checked } from './context.ts';
import { checkEnv, checkLog, checkNames, checkSecrets, checkSharedMemory, checkUlimits } from './roles.ts';

/** Reserved names: an accessory's container would get the name of one of Lockage's own things on the host. */
const reserved = ['edge', 'live', 'lock'];

/** Checks the accessories of an environment. */
export function checkAccessories(checked: Checked): void {
  const { written, resolved, report } = checked;
  const hosts = resolved.hosts.map((host) => host.name);
  for (const accessory of resolved.accessories) {
    const path = ['accessories', accessory.name];
    const asWritten = written.accessories[accessory.name];
    if (reserved.includes(accessory.name)) report(path, `${accessory.name} is a name that Lockage uses itself`);
    if (asWritten?.image === undefined) report([...path, 'image'], 'is missing: expected an image such as postgres:16');
    if (!hosts.includes(accessory.host)) {
      const suggestion = didYouMean(accessory.host, hosts) || `: ${hosts.join(', ')}`;
      report([...path, 'host'], `is not a target of ${resolved.name}${suggestion}`);
    }
    if (asWritten?.health !== undefined && asWritten.health.command === undefined) {
      report([...path, 'health', 'command'], 'is missing: expected a list of words, as [pg_isready]');
    }
    checkAddress(checked, path, accessory);
    checkEnv(checked, path, accessory.env, []);
    checkSecrets(checked, path, accessory.secrets);
    checkVolumes(checked, path, accessory.volumes);
    checkVolumeNames(checked, path, accessory);
    checkSharedMemory(checked, path, accessory);
    if (asWritten) checkLog(checked, path, asWritten);
    checkNames(checked, path, accessory);
    checkUlimits(checked, path, accessory);
  }
}

/**
 * Checks that a host's address is no public one: Docker publishes ports past the host's firewall, so a database must
 * not get there by accident.
 */
function checkAddress({ resolved, report }: Checked, path: readonly string[], accessory: Accessory): void {
  const { hosts, orchestrator } = resolved;
  if (hosts.length < 2 || orchestrator || accessory.port === undefined || accessory.expose !== undefined) return;
  const address = hosts.find(({ name }) => name === accessory.host)?.address ?? '';
  if (!isIpAddress(address) || isPrivateAddress(address)) return;
  const where = `on ${accessory.host} would be reached from everywhere at ${address}, past any firewall`;
  report([...path, 'port'], `${where}: give the target a private \`address\`, or write expose: true`);
}

/** Names of volumes are joined by hyphens, which they may contain: two accessories must not get the same data. */
function checkVolumeNames({ resolved, report }: Checked, owner: readonly string[], { name, volumes }: Accessory): void {
  const others = resolved.accessories.slice(
    0,
    resolved.accessories.findIndex((each) => each.name === name),
  );
  for (const volume of Object.keys(volumes)) {
    const other = others.find((each) =>
      Object.keys(each.volumes).some((taken) => `${each.name}-${taken}` === `${name}-${volume}`),
    );
    if (other)
      report([...owner, 'volumes', volume], `would be the same volume as one of ${other.name}: name it otherwise`);
  }
}

function checkVolumes({ report }: Checked, owner: readonly string[], volumes: Readonly<Record<string, string>>): void {
  const entries = Object.entries(volumes);
  for (const [index, [name, folder]] of entries.entries()) {
    const path = [...owner, 'volumes', name];
    const other = entries.slice(0, index).find(([, taken]) => taken === folder);
    if (other !== undefined) report(path, `${folder} is already the place of volume ${other[0]}`);
    if (folder === '/') report(path, 'would hide the image');
  }
}
