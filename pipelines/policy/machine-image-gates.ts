import { LockageError } from '../errors.ts';
import type { Project, Environment } from '../model/environment.ts';
import { type EnvironmentRecord, currentRevision } from '../model/ledger.ts';
import type { MachineImage } from '../model/machine-image.ts';
import { upstream } from '../model/pipeline.ts';
import { freezeGate, hintOf } from './gates.ts';

/**
 * Returns the environments before this one whose machines are of the same kind: an image has to run in each of them
 * first.
 */
export function machinesBefore(project: Project, environment: Environment): readonly Environment[] {
  return upstream(project, environment).filter(({ machines }) => machines?.kind === environment.machines?.kind);
}

/** What else the gates of an image follow from. */
export interface ImageGateFacts {
  /** the environments before with such machines */
  readonly before: readonly { readonly name: string; readonly record: EnvironmentRecord }[];
  /** milliseconds since 1970 */
  readonly now: number;
}

/**
 * Checks that an environment's machines may be replaced by those of an image: there is no hold and no cordoned host,
 * and a release ran well on exactly that image in every environment before that has such machines, or here. One that ran here
 * may come back in a freeze, too. Throws LockageError with every condition that is not met.
 */
export function checkImageGates(
  image: MachineImage,
  environment: Environment,
  record: EnvironmentRecord,
  { before, now }: ImageGateFacts,
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
  const frozen = ranOn(record, image) ? [] : freezeGate(environment, now).filter(({ met }) => !met);
  reasons.push(...frozen.map(({ text }) => text));
  if (reasons.length === 0) return;
  const commands = hints.length === 0 ? [] : [`Run ${hints.map((hint) => `\`${hint}\``).join(', then ')}.`];
  throw new LockageError(`image ${image.version} may not enter ${name}`, {
    details: reasons,
    hint: [...commands, ...frozen.map((gate) => hintOf([gate]) ?? '')].join(' '),
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
