import type { Engine } from '../../../infra/docker/api/client.ts';
import type { Made } from './pulumi-program.ts';

/** A label as Docker's plugin takes it. */
interface Label {
  readonly label: string;
  readonly value: string;
}

interface Inputs {
  readonly name?: string;
  readonly labels?: readonly Label[];
}

/** What Docker's Pulumi plugin does of what foundations declare: networks and volumes. */
export class DockerPlugin {
  readonly #engineOf: (host: string) => Promise<Engine>;

  /** `engineOf`: the engine of a host by its name */
  constructor(engineOf: (host: string) => Promise<Engine>) {
    this.#engineOf = engineOf;
  }

  async create(host: string, type: string, inputs: Inputs): Promise<Made> {
    const engine = await this.#engineOf(host);
    const { name = '', labels = [] } = inputs;
    const Labels = Object.fromEntries(labels.map(({ label, value }) => [label, value]));
    if (type.endsWith(':Network')) return { id: await engine.createNetwork(name, { Labels }), outputs: { ...inputs } };
    await engine.createVolume(name, { Labels });
    return { id: name, outputs: { ...inputs } };
  }

  /** Returns whether what is recorded is still there. */
  async exists(host: string, type: string, { name = '' }: Inputs): Promise<boolean> {
    const engine = await this.#engineOf(host);
    const found = type.endsWith(':Network') ? await engine.inspectNetwork(name) : await engine.inspectVolume(name);
    return found !== undefined;
  }

  async remove(host: string, type: string, { name = '' }: Inputs): Promise<void> {
    const engine = await this.#engineOf(host);
    if (type.endsWith(':Network')) await engine.removeNetwork(name);
    else await engine.removeVolume(name);
  }
}
