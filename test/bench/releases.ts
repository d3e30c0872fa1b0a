import type { Stage } from './stage.ts';

export interface SmallRelease {
  readonly version: string;
  /** by digest, as both sides start it */
  readonly image: string;
}

/** Three small releases: going round them, each one's containers are made anew. */
export async function smallReleases(stage: Stage): Promise<readonly SmallRelease[]> {
  const versions = ['1.0.0', '1.1.0', '1.2.0'];
  for (const version of versions) await stage.release(version);
  const { releases } = JSON.parse((await stage.must('releases', '--json')).stdout) as {
    releases: { version: string; repository: string; digest: string }[];
  };
  return releases.map(({ version, repository, digest }) => ({ version, image: `${repository}@${digest}` }));
}
