import type { PlacedJob } from '../../pipelines/model/desired-state.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { JobResult } from '../../pipelines/model/verification.ts';
import type { JobImage, Verification } from '../../pipelines/operations/ports/verification.ts';
import { providerContext, type Session } from '../context/session.ts';
import { imageKey } from '../programs/foundation-plan.ts';
import { runJobs } from '../provider/run-jobs.ts';
import type { RegistryClient } from '../registry/client.ts';
import { pinImages } from './foundation-images.ts';

/** The jobs that are run against environments, in containers on their hosts. */
export class VerificationAdapter implements Verification {
  readonly #app: string;
  readonly #session: Session;
  readonly #registry: RegistryClient;

  constructor(app: string, session: Session, registry: RegistryClient) {
    this.#app = app;
    this.#session = session;
    this.#registry = registry;
  }

  async prepare(environment: Environment, images: readonly JobImage[]): Promise<Readonly<Record<string, string>>> {
    if (images.length === 0) return {};
    const dependencies = { session: this.#session, registry: this.#registry };
    // What a tag stands for is asked each time: nothing that runs is replaced by it.
    const { held } = await pinImages(dependencies, environment, images, {});
    return Object.fromEntries(images.map(({ host, image }) => [image, held[imageKey(host.name, image)] ?? image]));
  }

  run({ name: environment }: Environment, jobs: readonly PlacedJob[]): Promise<readonly JobResult[]> {
    return runJobs(providerContext(this.#session, true), { app: this.#app, environment }, jobs);
  }
}
