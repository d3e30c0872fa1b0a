/** The bridge of an environment's machines. It is marked with its owner, so that nobody else's is mistaken for it. */
import { LockageError } from '../../pipelines/errors.ts';
import type { MachineNetworkInputs } from '../resources/inputs.ts';
import { runProgram, tryRunProgram } from '../system/run-program.ts';
import { closeBridge, createBridge, openBridge, openWayOut, removeBridge } from './network.ts';

interface Link {
  readonly ifalias?: string;
}

/**
 * Makes the bridge, or its missing parts: a killed run may have left it incomplete, and a restarted firewall forgets
 * its rules. Throws LockageError, also when somebody else's bridge has its name.
 */
export async function ensureBridge(inputs: MachineNetworkInputs): Promise<void> {
  const { bridge, subnet } = inputs;
  const found = await bridgeNamed(bridge);
  refuseForeign(found, inputs);
  const had = await subnetOf(bridge);
  if (had !== subnet) {
    // A killed run left it incomplete.
    if (found) await removeBridge(bridge, had ?? subnet);
    await createBridge(bridge, subnet);
  }
  await runProgram(['ip', 'link', 'set', 'dev', bridge, 'alias', ownerOf(inputs)]);
  await openBridge(bridge);
  await closeBridge(bridge);
  await openWayOut(bridge, subnet);
}

/** Returns the first three numbers of a bridge's network; undefined where there is no such bridge. */
export async function subnetOf(bridge: string): Promise<string | undefined> {
  const shown = await tryRunProgram(['ip', '-4', '-o', 'address', 'show', 'dev', bridge]);
  return / inet (\d+\.\d+\.\d+)\.1\/24 /.exec(shown ?? '')?.[1];
}

/** Removes the bridge with its firewall rules. Ignores one that is gone or not ours. */
export async function removeOwnBridge(inputs: MachineNetworkInputs): Promise<void> {
  const found = await bridgeNamed(inputs.bridge);
  if (found && !isOwn(found, inputs)) return;
  await removeBridge(inputs.bridge, inputs.subnet);
}

async function bridgeNamed(name: string): Promise<Link | undefined> {
  const shown = await tryRunProgram(['ip', '-j', 'link', 'show', 'dev', name]);
  return shown === undefined ? undefined : (JSON.parse(shown) as Link[])[0];
}

function ownerOf({ app, environment }: MachineNetworkInputs): string {
  return `lockage ${app} ${environment}`;
}

// A run that was killed before it named the owner leaves a bridge without one: its name is a hash of ours.
function isOwn({ ifalias = '' }: Link, inputs: MachineNetworkInputs): boolean {
  return ifalias === '' || ifalias === ownerOf(inputs);
}

function refuseForeign(found: Link | undefined, inputs: MachineNetworkInputs): void {
  if (!found || isOwn(found, inputs)) return;
  throw new LockageError(`the network device ${inputs.bridge} is not of ${inputs.environment}: ${found.ifalias}`, {
    hint: `Look at \`ip link show ${inputs.bridge}\`, and remove it if nobody needs it.`,
  });
}
