import { randomUUID } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Context } from '../../pipelines/operations/ports.ts';
import { Connections } from '../../infra/docker/connections.ts';
import { HostsAdapter } from '../../infra/adapters/hosts.ts';
import { MachinesAdapter } from '../../infra/adapters/machines/machines.ts';
import { StacksAdapter } from '../../infra/adapters/stacks.ts';
import { RecordsAdapter } from '../../infra/adapters/records.ts';
import { RegistryClient } from '../../infra/registry/client.ts';
import type { PulumiStacks } from '../../infra/pulumi/stacks.ts';
import type { Session } from '../../infra/context/session.ts';
import { releaseRegistry } from '../../infra/adapters/registry.ts';
import { loadProject } from '../project/load.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { readPassphrase } from '../project/passphrase.ts';
import { secretVersion } from '../project/secrets.ts';
import { ConsoleTerminal } from './terminal.ts';
import { secretsOf } from '../project/secret-store.ts';
import { Redactor } from '../tools/redactor.ts';

export interface GlobalOptions {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly cwd?: string;
}

/** The world outside as the flows see it, with what commands need besides. */
export interface CommandContext extends Context {
  readonly records: RecordsAdapter;
  readonly machines: MachinesAdapter;
  readonly connections: Connections;
  readonly registryClient: RegistryClient;
  readonly stackRunner: () => Promise<PulumiStacks>;
  readonly session: Session;
  readonly terminal: ConsoleTerminal;
}

/** Builds the world once, from the configuration of the folder the command runs in. Throws LockageError. */
export async function openContext(options: GlobalOptions, signal: AbortSignal): Promise<CommandContext> {
  const project = await loadProject(options.cwd ?? process.cwd());
  const redactor = new Redactor();
  const terminal = new ConsoleTerminal({
    json: options.json ?? false,
    yes: options.yes ?? false,
    redact: (text) => redactor.redact(text),
  });
  const stateFolder = join(project.root, '.lockage');
  const passphrase = await readPassphrase(stateFolder, project.backend);
  // What commands work on: with the addresses of machines, which change while a command makes them.
  let located = project;
  const connections = new Connections({
    stateDir: stateFolder,
    configured: () => located.environments.flatMap(({ hosts }) => hosts),
  });
  const registryClient = new RegistryClient({ insecure: project.insecureRegistries, signal });
  const session: Session = {
    connections,
    secretValues: new Map(),
    registryAuth: (repository) => registryClient.registryAuthHeader(repository),
    progress: (event) => terminal.host(event),
    machines: {
      machines: join(stateFolder, 'machines'),
      loadBalancers: join(stateFolder, 'fronts'),
      keys: join(stateFolder, 'machine-keys'),
      images: join(cacheFolder(), 'machine-images'),
    },
    signal,
  };
  const settings = { backend: project.backend, passphrase, folder: join(stateFolder, 'pulumi') };
  let loaded: Promise<PulumiStacks> | undefined;
  const stacks = () =>
    (loaded ??= import('../../infra/pulumi/stacks.ts').then(
      (module) => new module.PulumiStacks(settings, project.app),
    ));
  const records = new RecordsAdapter(settings, project.app, session, stacks);
  const actor = process.env['LOCKAGE_ACTOR'] ?? `${userInfo().username}@${hostname()}`;
  const machines = new MachinesAdapter({
    project,
    session,
    actor,
    records,
    stacks,
    onChange: (changed) => (located = changed),
  });
  await machines.locate();
  const version = (value: string) => secretVersion(value, `${project.app}\n${passphrase}`);
  return {
    get project() {
      return located;
    },
    actor,
    now: () => Date.now(),
    newOperation: () => randomUUID().slice(0, 8),
    records,
    registry: releaseRegistry(registryClient),
    hosts: new HostsAdapter(project.app, actor, session, registryClient),
    machines,
    stacks: new StacksAdapter({
      project: () => located,
      session,
      records,
      registry: registryClient,
      stacks,
    }),
    secrets: secretsOf(project, session, redactor, version, settings),
    terminal,
    signal,
    connections,
    registryClient,
    stackRunner: stacks,
    session,
  };
}
