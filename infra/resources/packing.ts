import { canonicalJson } from '../../pipelines/model/fingerprint.ts';

/**
 * What a resource is, as Pulumi carries and keeps it: one text. Pulumi passes text on as it is, but takes values apart one
 * by one, in each of a dozen messages and on both sides; with thirty hosts that took seconds.
 */
export interface Content {
  readonly content: string;
}

export function packed(inputs: object): Content {
  return { content: canonicalJson(inputs) };
}

/** The inputs again; those of a resource that is not packed as they are. */
export function unpacked(carried: unknown): unknown {
  const { content } = carried as Partial<Content>;
  return typeof content === 'string' ? JSON.parse(content) : carried;
}
