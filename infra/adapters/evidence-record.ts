import type { Digest } from '../../pipelines/model/release.ts';
import { evidenceStack } from '../pulumi/stack-names.ts';
import { CommonRecords, type CommonPlace, type CommonRecord } from './common-records.ts';

/** Bundles by the digest of the image that they are about. */
interface EvidenceList {
  readonly evidence: Readonly<Record<string, readonly string[]>>;
}

/**
 * The evidence in the backend. It lies in up to 256 stacks by the first digits of the digests, so that a command reads that of
 * a few images, however many releases there are.
 */
export class EvidenceRecord {
  readonly #records: CommonRecords;
  readonly #app: string;

  constructor(place: CommonPlace) {
    this.#records = new CommonRecords(place);
    this.#app = place.project;
  }

  async of(digest: Digest): Promise<readonly string[]> {
    const { evidence } = (await this.#records.read(recordFor(digest))).value;
    return Object.hasOwn(evidence, digest) ? (evidence[digest] ?? []) : [];
  }

  /** Adds bundles to those that are recorded by then. */
  async add(digest: Digest, bundles: readonly string[], message: string): Promise<void> {
    const { Evidence } = await import('../resources/classes.ts');
    await this.#records.change(recordFor(digest), {
      change: (stored) => {
        const known = Object.hasOwn(stored.evidence, digest) ? (stored.evidence[digest] ?? []) : [];
        const added = bundles.filter((bundle) => !known.includes(bundle));
        if (added.length === 0) return stored;
        return { evidence: { ...stored.evidence, [digest]: [...known, ...added] } };
      },
      declare: ({ evidence }, basis) => new Evidence({ app: this.#app, evidence }, basis),
      message,
    });
  }
}

function recordFor(digest: Digest): CommonRecord<EvidenceList> {
  return {
    stack: evidenceStack(digest.slice('sha256:'.length)),
    type: 'Evidence',
    valueOf: ({ evidence = {} }) => ({ evidence }),
  };
}
