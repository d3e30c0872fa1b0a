import type { MachineImage } from '../../../pipelines/model/machine-image.ts';
import { shortDigest } from '../../../pipelines/model/release.ts';
import { agoText } from '../../../pipelines/text/moment.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';

export interface ListedImage extends MachineImage {
  /** those whose machines are made from it */
  readonly environments: readonly string[];
}

/** Shows the images of machines, and where they are in use. */
export function imageLines(images: readonly ListedImage[], now: number): string[] {
  if (images.length === 0)
    return ['there are no images yet: `lockage vm-image build` makes one, as does the first promotion'];
  const header = ['version', 'kind', 'digest', 'debian', 'kernel', 'engine', 'built', 'by', 'environments'].map(
    (word) => colors.dim(word),
  );
  const rows = images.map((image) => [
    image.version,
    image.kind,
    colors.dim(shortDigest(image.digest)),
    image.contents?.debian ?? '',
    image.contents?.kernel ?? '',
    image.contents?.engine ?? '',
    agoText(image.createdAt, now),
    image.builder,
    colors.green(image.environments.join(', ')),
  ]);
  return table([header, ...rows]);
}
