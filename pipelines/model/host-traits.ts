/** In what hosts can be compared, by the names that `same` in the configuration takes. */
export const traitNames = [
  'architecture',
  'os',
  'kernel.minor',
  'engine',
  'engine.minor',
  'storage',
  'cgroup',
] as const;

export type Trait = (typeof traitNames)[number];

/** What a host is made of; what it did not say is absent. */
export type Traits = Readonly<Partial<Record<Trait, string>>>;

/** A host as it is compared with others. */
export interface HostTraits {
  readonly environment: string;
  readonly host: string;
  readonly traits: Traits;
}
