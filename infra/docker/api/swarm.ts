import { answers } from './answers.ts';
import { EngineError } from './errors.ts';
import { outputLines, silenceOf } from './frames.ts';
import { segment } from './names.ts';
import { EngineResources, labelFilter } from './resources.ts';
import { list } from '../../system/shapes.ts';
import type {
  CallOptions,
  LogOptions,
  OutputLine,
  ServiceDetails,
  ServiceSpec,
  SwarmNode,
  SwarmTask,
} from './types.ts';

/** The API of a manager of a Docker Swarm, which works for all nodes: services, their tasks, secrets. */
export class EngineSwarm extends EngineResources {
  /**
   * Creates a service and returns its id. `auth`: the registry's credentials, which the nodes pull with. A name that
   * is taken is refused.
   */
  async createService(spec: ServiceSpec, options: CallOptions & { readonly auth?: string } = {}): Promise<string> {
    const { auth, ...rest } = options;
    const call = { body: spec, ...(auth === undefined ? {} : { headers: { 'X-Registry-Auth': auth } }), ...rest };
    return (
      await this.json<{ ID: string }>(
        `create service ${spec.Name}`,
        'POST',
        '/services/create',
        call,
        answers.createdInSwarm,
      )
    ).ID;
  }

  /** Returns undefined when the swarm does not have the service. */
  async inspectService(name: string, options: CallOptions = {}): Promise<ServiceDetails | undefined> {
    return this.find<ServiceDetails>(`inspect service ${name}`, `/services/${segment(name)}`, options, answers.service);
  }

  /** Updates a service; refused when somebody changed it since `version`. The nodes keep the credentials they have. */
  async updateService(name: string, version: number, spec: ServiceSpec, options: CallOptions = {}): Promise<void> {
    const call = { query: { version, registryAuthFrom: 'spec' }, body: spec, ...options };
    await this.call(`update service ${name}`, 'POST', `/services/${segment(name)}/update`, call);
  }

  /** Removes a service; does nothing when it is absent. Its tasks end after the call returns. */
  async removeService(name: string, options: CallOptions = {}): Promise<void> {
    await this.call(`remove service ${name}`, 'DELETE', `/services/${segment(name)}`, { accept: [404], ...options });
  }

  /** Lists services that carry all the labels. */
  async listServices(labels: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<ServiceDetails[]> {
    const query = { filters: labelFilter(labels) };
    return this.json<ServiceDetails[]>(
      'list services',
      'GET',
      '/services',
      { query, ...options },
      list(answers.service),
    );
  }

  /** Lists tasks of all services, including ended ones that the swarm still remembers. */
  async listTasks(options: CallOptions = {}): Promise<SwarmTask[]> {
    return this.json<SwarmTask[]>('list tasks', 'GET', '/tasks', options, list(answers.task));
  }

  /**
   * Lists the tasks of one service, as those of a whole swarm are a long answer. Empty when the swarm does not have
   * the service.
   */
  async tasksOf(service: string, options: CallOptions = {}): Promise<SwarmTask[]> {
    const query = { filters: JSON.stringify({ service: [service] }) };
    return (
      (await this.find<SwarmTask[]>(`list tasks of ${service}`, '/tasks', { query, ...options }, list(answers.task))) ??
      []
    );
  }

  async listNodes(options: CallOptions = {}): Promise<SwarmNode[]> {
    return this.json<SwarmNode[]>('list nodes', 'GET', '/nodes', options, list(answers.node));
  }

  /**
   * Returns the id of the secret of that name, and creates it unless it exists. Throws EngineError when one has other
   * labels.
   */
  async ensureSecret(
    name: string,
    value: Buffer,
    labels: Readonly<Record<string, string>>,
    options: CallOptions = {},
  ): Promise<string> {
    const body = { Name: name, Labels: labels, Data: value.toString('base64') };
    const call = { body, accept: [409], ...options };
    await this.call(`create secret ${name}`, 'POST', '/secrets/create', call);
    const found = await this.json<{ ID: string; Spec: { Labels: Record<string, string> | null } }>(
      `inspect secret ${name}`,
      'GET',
      `/secrets/${segment(name)}`,
      options,
      answers.secret,
    );
    if (Object.entries(labels).every(([key, label]) => found.Spec.Labels?.[key] === label)) return found.ID;
    throw new EngineError(this.host, `create secret ${name}`, 'somebody else has one of that name');
  }

  /** Removes a secret and returns whether it is gone; one that a service uses stays. */
  async removeSecret(name: string, options: CallOptions = {}): Promise<boolean> {
    const call = { accept: [400, 404], ...options };
    return (await this.call(`remove secret ${name}`, 'DELETE', `/secrets/${segment(name)}`, call)).status !== 400;
  }

  /** Lists the names of secrets that carry all the labels. */
  async listSecrets(labels: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<string[]> {
    const call = { query: { filters: labelFilter(labels) }, ...options };
    const secrets = await this.json<{ Spec: { Name: string } }[]>(
      'list secrets',
      'GET',
      '/secrets',
      call,
      list(answers.secret),
    );
    return secrets.map(({ Spec }) => Spec.Name);
  }

  /** Yields lines of all its containers, as their nodes send them. An aborted signal ends them without an error. */
  async *serviceLogs(name: string, options: LogOptions = {}): AsyncGenerator<OutputLine> {
    const { tail = 'all', follow = false, since, signal } = options;
    const query = { stdout: true, stderr: true, tail, follow, since: since && Math.floor(since.getTime() / 1000) };
    const path = `${await this.prefix({ signal })}/services/${segment(name)}/logs`;
    try {
      const what = `read the logs of service ${name}`;
      const chunks = this.transport.chunks({ what, method: 'GET', path, query, signal }, silenceOf(options));
      yield* outputLines(chunks, false);
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }
}
