/** The labels by which everything of Lockage is found again on a host, even when the state is lost. */
export const labels = {
  app: 'lockage.app',
  environment: 'lockage.environment',
  role: 'lockage.role',
  release: 'lockage.release',
  digest: 'lockage.digest',
  spec: 'lockage.spec',
  part: 'lockage.part',
  host: 'lockage.host',
  image: 'lockage.image',
  process: 'lockage.process',
  deadline: 'lockage.deadline',
} as const;

/** What stands on a host only while a command asks something of it: an edge or a backup that is tried, and who visits public ports. */
export const passingParts = { trial: 'edge-trial', visit: 'edge-visit', proof: 'accessory-trial' } as const;

/** The part of what removes an environment from its host after its time. */
export const reaperPart = 'reaper';

/** Returns the labels that tell an environment's own containers from all others. */
export function ownerLabels(app: string, environment: string, part: string): Record<string, string> {
  return { [labels.app]: app, [labels.environment]: environment, [labels.part]: part };
}

/** Returns whether what has these labels belongs to an environment. */
export function isOwnedBy(
  found: Readonly<Record<string, string>> | null | undefined,
  { app, environment }: { readonly app: string; readonly environment: string },
): boolean {
  return found?.[labels.app] === app && found[labels.environment] === environment;
}
