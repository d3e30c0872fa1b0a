import { isRefusal, LockageError, messageOf } from '../../pipelines/errors.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import { bundleType, longestBundle } from '../../pipelines/model/evidence/bundle.ts';
import { predicateTypes } from '../../pipelines/model/evidence/statement.ts';
import type { Release } from '../../pipelines/model/release.ts';
import type { Signer } from '../../pipelines/model/signer.ts';
import type {
  AddedEvidence,
  EvidencePort,
  FoundEvidence,
  NewBundle,
} from '../../pipelines/operations/ports/evidence.ts';
import { ownSigner, showKey } from '../keys/signers.ts';
import type { Referrers } from '../registry/referrers.ts';
import type { EvidenceRecord } from './evidence-record.ts';

/** The parts that evidence is kept in. */
export interface EvidenceParts {
  readonly project: Pick<Project, 'keys' | 'root'>;
  readonly record: Pick<EvidenceRecord, 'of' | 'add'>;
  readonly referrers: Pick<Referrers, 'contents' | 'attach'>;
  readonly variables: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Evidence beside the images in their registry, with a copy in the record: whichever is lost, the other one proves it. */
export class EvidenceAdapter implements EvidencePort {
  readonly #parts: EvidenceParts;
  #signer: Promise<Signer | undefined> | undefined;
  #shown: Promise<void> | undefined;

  constructor(parts: EvidenceParts) {
    this.#parts = parts;
  }

  async signer(): Promise<Signer | undefined> {
    const { project, variables, signal } = this.#parts;
    // A project without keys asks nobody, whatever another one has put into the environment.
    if (!project.keys) return undefined;
    return (this.#signer ??= ownSigner(project.keys, { root: project.root, variables, signal }));
  }

  async show(): Promise<void> {
    const signer = await this.signer();
    if (signer) await (this.#shown ??= showKey(signer));
  }

  async of({ repository, digest }: Release): Promise<FoundEvidence> {
    const { record, referrers } = this.#parts;
    const [recorded, beside] = await Promise.all([
      record.of(digest),
      referrers.contents(repository, digest, bundleType).catch((error: unknown) => {
        if (error instanceof LockageError && isRefusal(error)) return messageOf(error);
        throw error;
      }),
    ]);
    if (typeof beside === 'string') return { bundles: recorded, problem: beside };
    const texts = beside.filter(({ length }) => length <= longestBundle).map((content) => content.toString('utf8'));
    return { bundles: [...new Set([...recorded, ...texts])] };
  }

  async add({ repository, digest }: Release, bundles: readonly NewBundle[], message: string): Promise<AddedEvidence> {
    const { record } = this.#parts;
    const failure = await this.#attach({ repository, digest }, bundles).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    // What the registry does not take is proof all the same.
    await record.add(
      digest,
      bundles.map(({ text }) => text),
      message,
    );
    if (!failure) return {};
    if (isRefusal(failure.error)) return { problem: messageOf(failure.error) };
    throw failure.error;
  }

  async #attach(
    { repository, digest }: Pick<Release, 'repository' | 'digest'>,
    bundles: readonly NewBundle[],
  ): Promise<void> {
    const { referrers } = this.#parts;
    for (const { kind, text } of bundles) {
      const annotations = {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': predicateTypes[kind],
      };
      await referrers.attach(repository, digest, { artifactType: bundleType, content: Buffer.from(text), annotations });
    }
  }
}
