/** The traits in which hosts can be compared, by the names that `same` in the configuration takes. */
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

/** The traits of a host; those it did not report are absent. */
export type Traits = Readonly<Partial<Record<Trait, string>>>;

/** The traits of one host of an environment, for a comparison with others. */
export interface HostTraits {
  readonly environment: string;
  readonly host: string;
  readonly traits: Traits;
}
