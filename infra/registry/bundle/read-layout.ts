/** The JSON files of a bundle as they come from outside: every field that is read is checked here, and the others are dropped. */
import * as z from 'zod';
import type { DockerEntry } from './layout.ts';

/** The file is not what it has to be: where, and why. */
export class LayoutError extends Error {}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'is no digest');
const blob = z.string().regex(/^blobs\/sha256\/[0-9a-f]{64}$/, 'is no blob');
const blobs = z.array(blob).max(10_000);
const described = z.array(z.object({ digest })).max(10_000);

const docker = z
  .array(z.object({ Config: blob, RepoTags: z.array(z.string().max(1024)).max(1000), Layers: blobs }))
  .max(10_000);
const index = z.looseObject({
  manifests: z.array(z.looseObject({ digest, annotations: z.record(z.string(), z.string()).optional() })).max(10_000),
});
const manifest = z.object({
  config: z.object({ digest }).optional(),
  layers: described.optional(),
  manifests: described.optional(),
});
const configuration = z.object({ rootfs: z.object({ diff_ids: z.array(digest).max(10_000) }) });

/** The index of an image layout: as it is written again for an engine, so nothing of it is dropped. */
export type LayoutIndex = z.infer<typeof index>;

/** Returns the images as `docker load` has them described. Throws LayoutError. */
export function dockerEntriesOf(text: string): readonly DockerEntry[] {
  return read(docker, text);
}

/** Returns the index of the layout. Throws LayoutError. */
export function layoutIndexOf(text: string): LayoutIndex {
  return read(index, text);
}

/** Returns the digests of what a manifest, or an index, names: its own parts, and the manifests below it. Throws LayoutError. */
export function manifestPartsOf(text: string): { readonly own: readonly string[]; readonly below: readonly string[] } {
  const { config, layers = [], manifests = [] } = read(manifest, text);
  const own = [...(config ? [config] : []), ...layers];
  return { own: own.map((each) => each.digest), below: manifests.map((each) => each.digest) };
}

/** Returns the hashes of an image's unpacked layers, lowest first. Throws LayoutError. */
export function layersOfConfiguration(text: string): readonly string[] {
  return read(configuration, text).rootfs.diff_ids;
}

function read<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LayoutError('it is no JSON');
  }
  const found = schema.safeParse(value);
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  throw new LayoutError(`${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'it is not as it has to be'}`);
}
