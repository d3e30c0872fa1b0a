/** The reasons that keep an environment's machines from being made, changed or removed. */
import path from 'node:path';
import { LockageError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { MachineInputs } from '../../resources/inputs.ts';

/**
 * Throws LockageError when a machine differs from what is configured. Its containers would have to be moved off first,
 * and destroying it at once does not do that.
 */
export function refuseOtherwise(environment: string, machine: MachineInputs, wanted: Partial<MachineInputs>): void {
  const others = differing(machine, wanted);
  if (others.length === 0) return;
  throw new LockageError(`the machines of ${environment} were made otherwise than they are configured now`, {
    details: others.map(
      ([key, value]) =>
        `${key}: ${JSON.stringify(machine[key as keyof MachineInputs])}, configured ${JSON.stringify(value)}`,
    ),
    hint: `A machine is never changed, but replaced: \`lockage vm-image promote VERSION --to ${environment}\`.`,
  });
}

/**
 * Returns the error for machines that serve and whose host keys are missing here. They are not made again for it, as
 * everything on them would be lost.
 */
export function hostKeysError(
  environment: string,
  made: readonly MachineInputs[],
  wanted: readonly MachineInputs[],
  folder: string,
): LockageError {
  return new LockageError(`the ssh host keys of the machines of ${environment} are not those they were made with`, {
    details: made.map(({ name, host, hostKey }) => {
      const here = wanted.find((machine) => machine.name === name);
      return `${host}: made with ${hostKey}, here ${here?.hostKey}`;
    }),
    hint: `Put ${path.join(folder, environment)} back as it was. Where it is lost, \`lockage destroy ${environment}\`, and promote again.`,
  });
}

/** Returns the wanted settings that a machine does not have. */
export function differing(machine: MachineInputs, wanted: Partial<MachineInputs>): [key: string, value: unknown][] {
  return Object.entries(wanted).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(machine[key as keyof MachineInputs]),
  );
}

/**
 * Throws LockageError when machines that leave may hold data of an accessory: data of a moved accessory stays where it
 * was, and nobody has agreed to its removal.
 */
export function refuseDataLoss({ name, accessories }: Environment, leaving: readonly MachineInputs[]): void {
  if (!accessories.some(({ volumes }) => Object.keys(volumes).length > 0)) return;
  throw new LockageError(
    `${leaving.map((machine) => machine.name).join(', ')}: no longer configured, but may hold data of an accessory`,
    { hint: `Copy it elsewhere; \`lockage destroy ${name} --volumes\` with the machines configured removes it.` },
  );
}

/** Refuses to make or remove machines without root on Linux. Throws LockageError. */
export function refuseWithoutRoot(): void {
  if (process.platform === 'linux' && process.getuid?.() === 0) return;
  throw new LockageError('machines can be made and removed by root on Linux only', {
    hint: 'Run the command with sudo, or name hosts that are there already as targets.',
  });
}
