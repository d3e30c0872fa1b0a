/** The facts that an image of ours carries about how it was made. */
export interface BuildFacts {
  readonly app: string;
  readonly version: string;
  /** absent: there is none */
  readonly commit?: string;
  /** `user@machine` */
  readonly builder: string;
  /** there were changes that were not committed */
  readonly dirty: boolean;
}

/** Containers get the labels of their image: none may be called like those by which Lockage finds its containers. */
const names = {
  app: 'lockage.build.app',
  version: 'org.opencontainers.image.version',
  commit: 'org.opencontainers.image.revision',
  builder: 'lockage.build.builder',
  dirty: 'lockage.build.dirty',
} as const;

/** Returns the labels that an image is built with. All are given, as a base image may have others. */
export function buildLabels({ app, version, commit = '', builder, dirty }: BuildFacts): Record<string, string> {
  return {
    [names.app]: app,
    [names.version]: version,
    [names.commit]: commit,
    [names.builder]: builder,
    [names.dirty]: String(dirty),
  };
}

/**
 * Returns who built an image that is labelled as made of exactly this; undefined where it is another one. A tree with
 * changes is never the same twice.
 */
export function builderOf(
  labels: Readonly<Record<string, string>>,
  made: Omit<BuildFacts, 'builder'>,
): string | undefined {
  const builder = labels[names.builder];
  if (made.dirty || builder === undefined || builder === '') return undefined;
  const expected = Object.entries(buildLabels({ ...made, builder }));
  return expected.every(([name, value]) => labels[name] === value) ? builder : undefined;
}
