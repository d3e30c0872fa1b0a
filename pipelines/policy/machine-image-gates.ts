import { LockageError } from '../errors.ts';
import type { Project, Environment } from '../model/environment.ts';
import { type EnvironmentRecord, currentRevision } from '../model/ledger.ts';
import type { MachineImage } from '../model/machine-image.ts';
import { upstream } from '../model/pipeline.ts';

/**
 * Returns the environments before this one whose machines are of the same kind: an image has to run in each of them
 * first.
 */
export function machinesBefore(project: Project, environment: Environment): readonly Environment[] {
  return upstream(project, environment).filter(({ machines }) => machines?.kind === environment.machines?.kind);
}

/**
 * Checks that an environment's machines may be replaced by those of an image: there is no hold and no cordoned host,
 * and a release ran well on exactly that image in every environment before that has such machines, or here. Throws
 * LockageError with every condition that is not met.
 */
export function checkImageGates(
  image: MachineImage,
  environment: Environment,
  record: EnvironmentRecord,
  before: readonly { readonly name: string; readonly record: EnvironmentRecord }[],
): void {
  const { name } = environment;
  const { hold, cordons = [] } = record.ledger;
  const reasons: string[] = [];
  const hints: string[] = [];
  if (hold) {
    reasons.push(`${name} is on hold: ${hold.reason}`);
    hints.push(`lockage resume ${name}`);
  }
  for (const { host } of cordons) {
    reasons.push(`${host} is cordoned`);
    hints.push(`lockage host uncordon ${host} --env ${name}`);
  }
  for (const upstreamed of ranOn(record, image) ? [] : before) {
    if (ranOn(upstreamed.record, image)) continue;
    reasons.push(`nothing has run on image ${image.version} in ${upstreamed.name}`);
    hints.push(`lockage vm-image promote ${image.version} --to ${upstreamed.name}`);
  }
  if (reasons.length === 0) return;
  throw new LockageError(`image ${image.version} may not enter ${name}`, {
    details: reasons,
    hint: `Run ${hints.map((hint) => `\`${hint}\``).join(', then ')}.`,
  });
}

/** Returns whether a release served on machines of that image and was recorded as good. */
export function ranOn({ ledger }: EnvironmentRecord, { digest }: Pick<MachineImage, 'digest'>): boolean {
  return ledger.revisions.some((revision) => revision.result === 'succeeded' && revision.machineImage === digest);
}

/**
 * Returns the revision that runs in an environment. Throws LockageError when nothing does: then there is nothing to
 * prove an image with.
 */
export function servingOn({ name }: Environment, record: EnvironmentRecord) {
  const current = currentRevision(record.ledger);
  if (current) return current;
  throw new LockageError(`nothing runs in ${name}`, {
    hint: `Bring a release there, which makes its machines: \`lockage promote VERSION --to ${name}\`.`,
  });
}

/**
 * Throws LockageError when accessories run on the machines: an accessory lives as long as its machine, and would go
 * with it.
 */
export function refuseAccessories({ name, accessories }: Environment): void {
  if (accessories.length === 0) return;
  throw new LockageError(`the machines of ${name} run accessories, which would go with them`, {
    details: accessories.map((accessory) => `${accessory.name} on ${accessory.host}`),
    hint: 'Run them outside of the machines, on hosts that stay, and name their address in `env`.',
  });
}
