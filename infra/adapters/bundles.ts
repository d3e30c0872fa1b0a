import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { LockageError, messageOf, RecordChangedError } from '../../pipelines/errors.ts';
import type { ArchiveFile } from '../../pipelines/model/archive.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import { imagesOf, withImages, type RecordedRevision } from '../../pipelines/model/recorded-revision.ts';
import type { Bundles } from '../../pipelines/operations/ports/bundles.ts';
import type { RevisionName } from '../../pipelines/planning/choose-revision.ts';
import type { Connections } from '../docker/connections.ts';
import { findImage, type FoundImage } from '../hosts/bundle-images.ts';
import { engineAtHand } from '../hosts/engine-at-hand.ts';
import { Bundle } from '../registry/bundle/bundle.ts';
import { writeBundle, type WrittenBundle } from '../registry/bundle/write-bundle.ts';
import type { RegistryClient } from '../registry/client.ts';
import { recordedRevision } from './recorded-revision.ts';
import type { RecordsAdapter } from './records.ts';

interface Dependencies {
  readonly project: Project;
  readonly records: RecordsAdapter;
  readonly registry: RegistryClient;
  readonly connections: Connections;
  /** variables that name the engine at hand */
  readonly variables: NodeJS.ProcessEnv;
  readonly tell: (text: string) => void;
  readonly signal: AbortSignal;
}

/** A bundle that was written, and what it is of. */
export interface RevisionBundle {
  readonly recorded: RecordedRevision;
  readonly written: WrittenBundle;
}

/** Bundles of recorded revisions. */
export class BundlesAdapter implements Bundles {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Writes a recorded revision with all its images to a file, by its absolute path. Throws LockageError. */
  async writeRevision(name: RevisionName, file: string): Promise<RevisionBundle> {
    const { records, project } = this.#dependencies;
    const { recorded } = await recordedRevision(records, project, name);
    return { recorded, written: await this.#write(recorded, file) };
  }

  async write(environment: string, revision: number, file: string): Promise<ArchiveFile> {
    const { records, project } = this.#dependencies;
    const { recorded } = await recordedRevision(records, project, { environment });
    if (recorded.number !== revision) {
      throw new RecordChangedError(`${environment} was changed by somebody else meanwhile: nothing was done`, {
        hint: `Look at \`lockage history ${environment}\`, then run the same command again.`,
      });
    }
    const path = resolve(project.root, file);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw new LockageError(`${dirname(path)} cannot be made: ${messageOf(error)}`);
    });
    await this.#write(recorded, path);
    return { file: pathIn(project.root, path), sha256: await sha256Of(path), bytes: (await stat(path)).size };
  }

  async check({ file, sha256 }: ArchiveFile): Promise<void> {
    const { project, signal } = this.#dependencies;
    const path = resolve(project.root, file);
    try {
      await (await Bundle.open(path, signal)).close();
      if ((await sha256Of(path)) !== sha256) throw new LockageError(`${file} is another bundle: its SHA-256 differs`);
    } catch (error) {
      if (!(error instanceof LockageError)) throw error;
      throw new LockageError(error.message, {
        details: ['it was written before anything was removed, and nothing more is removed without it'],
        hint: 'Copy it to that place, or name it with `-o FILE`; `lockage destroy` removes the rest without it.',
        cause: error,
      });
    }
  }

  async #write(recorded: RecordedRevision, file: string): Promise<WrittenBundle> {
    const found = await this.#imagesFor(file, recorded);
    const images = found.map(({ image }) => image);
    const renamed = new Map(imagesOf(recorded).map((image, index) => [image, images[index]?.reference ?? image]));
    return writeBundle(file, withImages(recorded, renamed), images, this.#dependencies.signal).finally(() =>
      Promise.all(found.map(({ close }) => close())),
    );
  }

  /** Finds all images. Those that no registry gives are taken from the engine at hand, which is said. */
  async #imagesFor(file: string, recorded: RecordedRevision): Promise<FoundImage[]> {
    const { registry, connections, variables, tell, signal } = this.#dependencies;
    const { platform } = recorded.release;
    const engine = async () => connections.engine(await engineAtHand(variables));
    const sources = { registry, engine, file, signal };
    // All are waited for: one that was found has to be closed.
    const results = await Promise.allSettled(imagesOf(recorded).map((name) => findImage(sources, name, platform)));
    const found = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) {
      await Promise.all(found.map(({ close }) => close()));
      throw failure.reason;
    }
    for (const { image, from } of found) {
      if (from === 'engine') tell(`${image.reference} is taken from the engine here: no registry gives it`);
    }
    return found;
  }
}

/** Returns a path as it is recorded: the project may be moved, or lie elsewhere for another operator. */
function pathIn(root: string, path: string): string {
  const inside = relative(root, path);
  return inside.startsWith('..') || isAbsolute(inside) ? path : inside;
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
