import { BrokenError } from '../../pipelines/errors.ts';
import { shortDigest, type Release } from '../../pipelines/model/release.ts';
import type { CopiedImage } from '../../pipelines/operations/ports/registry.ts';
import type { Progress } from '../context/provider-context.ts';
import type { RegistryClient } from '../registry/client.ts';
import { copyImage } from '../registry/copy.ts';
import type { RegistryWriter } from '../registry/writer.ts';

/** The registries that releases are copied between, and who is told how far it is. */
export interface CopyDependencies {
  /** reads this computer's embedded registry, whatever the project is configured to use by now */
  readonly embedded: RegistryClient;
  readonly writer: RegistryWriter;
  readonly progress: (event: Progress) => void;
}

/** Copies a release's image from this computer's registry, and checks what is there then. Throws LockageError. */
export async function copyRelease(
  client: RegistryClient,
  { embedded, writer, progress }: CopyDependencies,
  { version, digest, repository }: Release,
  target: string,
): Promise<CopiedImage> {
  if ((await client.tagDigest(target, version, true)) === digest) {
    progress({ host: version, step: 'copied', bytes: 0 });
    return { outcome: 'present', bytes: 0 };
  }
  if (!(await embedded.exists(repository, digest))) return { outcome: 'absent', bytes: 0 };
  const onProgress = (id: string, current: number, total: number) =>
    progress({ host: version, step: 'copy', layer: { id, current, total } });
  const image = { from: embedded, to: writer, repository, digest, target, tag: version, onProgress };
  const bytes = await copyImage(image);
  const answered = await client.tagDigest(target, version);
  if (answered !== digest) {
    const instead = answered === undefined ? 'nothing' : shortDigest(answered);
    throw new BrokenError(`${target}:${version} is ${instead} after ${shortDigest(digest)} was sent there`, {
      hint: 'Find out who else pushes to that tag, or what stands before the registry. Nothing was recorded.',
    });
  }
  progress({ host: version, step: 'copied', bytes });
  return { outcome: 'copied', bytes };
}
