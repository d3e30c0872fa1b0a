import { hostname } from 'node:os';
import type { Project } from '../../../pipelines/model/environment.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import type { Session } from '../../context/session.ts';
import { withMachineLock } from '../../machines/machine-lock.ts';
import type { StackRunner } from '../../pulumi/stack-runner.ts';
import type { MachineNetworkInputs } from '../../resources/inputs.ts';
import type { RecordsAdapter } from '../records.ts';

/** The things that the machines of environments are made, inspected and removed with. */
export interface Dependencies {
  /** the project as it is configured: the machines have no addresses in it */
  readonly project: Project;
  readonly session: Session;
  /** `user@machine` */
  readonly actor: string;
  readonly records: RecordsAdapter;
  readonly stacks: () => Promise<StackRunner>;
}

/** Runs `work` while no other command of this computer works on the machines of an environment. Throws LockedError. */
export function withMachinesLock<T>(
  { session }: Dependencies,
  environment: string,
  work: () => Promise<T>,
): Promise<T> {
  const subject = { name: environment, what: `the machines of ${environment}` };
  return withMachineLock(session.machines, subject, work);
}

/** Returns the network of an environment's machines on this computer. */
export function networkOf(dependencies: Dependencies, environment: string, subnet: string): MachineNetworkInputs {
  const { app } = dependencies.project;
  return { app, environment, bridge: bridgeOf(dependencies, environment), subnet, computer: hostname() };
}

/** Returns the name of an environment's bridge. A network device's name has fifteen characters at most. */
export function bridgeOf({ project, session }: Dependencies, environment: string): string {
  return `lk${fingerprint({ app: project.app, environment, folder: session.machines.machines })}`;
}
