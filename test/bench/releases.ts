import type { Stage } from './stage.ts';

export interface SmallRelease {
  readonly version: string;
  /** by digest, as both sides start it */
  readonly image: string;
}

interface Recorded {
  readonly version: string;
  readonly repository: string;
  readonly digest: `sha256:${string}`;
}

/** Builds three small releases: promoting them in turn, the containers of each are made again. */
export async function smallReleases(stage: Stage): Promise<[SmallRelease, SmallRelease, SmallRelease]> {
  for (const version of ['1.0.0', '1.1.0', '1.2.0']) await stage.release(version);
  const [first, second, third] = (await recordedReleases(stage)).map(({ version, repository, digest }) => ({
    version,
    image: `${repository}@${digest}`,
  }));
  if (!first || !second || !third) throw new Error('three releases were made and not all are recorded');
  return [first, second, third];
}

/** Returns the existing releases, the oldest first. */
export async function recordedReleases(stage: Stage): Promise<Recorded[]> {
  const { releases } = JSON.parse((await stage.must('releases', '--json')).stdout) as { releases: Recorded[] };
  return releases.reverse();
}
