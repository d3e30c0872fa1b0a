/** The kinds of targets that the benchmark compares, each with hosts of its own. */
import type { LabEnvironment } from '../../scripts/lab/lab.ts';
import type { Place, Stage } from './stage.ts';

export interface TargetKind {
  readonly name: string;
  readonly what: string;
  /** hosts of the lab */
  readonly lab?: LabEnvironment;
  /** or machines that the environment makes itself, as its file names them */
  readonly machines?: object;
}

const machine = { count: 1, memory: '1GiB', cpus: 2 };

export const targetKinds: readonly TargetKind[] = [
  { name: 'unix', what: 'host by unix socket', lab: { hosts: 1, reach: 'unix' } },
  { name: 'ssh', what: 'host over ssh', lab: { hosts: 1, reach: 'ssh' } },
  { name: 'tls', what: 'host over TLS', lab: { hosts: 1, reach: 'tls' } },
  { name: 'lxc', what: 'machine of kind lxc', machines: { kind: 'lxc', ...machine } },
  { name: 'vm', what: 'machine of kind vm', machines: { kind: 'vm', ...machine } },
  { name: 'swarm', what: 'swarm of 3 nodes, 3 replicas', lab: { hosts: 3, reach: 'unix', managers: 3 } },
];

/** The kinds whose machines an environment makes itself. */
export const machineKinds = targetKinds.filter(({ machines }) => machines !== undefined);

/** The lab's environments for these kinds. */
export const targetLabs: Readonly<Record<string, LabEnvironment>> = Object.fromEntries(
  targetKinds.flatMap(({ name, lab }) => (lab ? [[name, lab] as const] : [])),
);

/** Returns an environment of a kind. */
export function targetPlace(stage: Stage, { name, machines }: TargetKind): Promise<Place> {
  if (machines) return stage.machinePlace(name, machines);
  const hosts = stage.lab.hosts.filter(({ environment }) => environment === name);
  return stage.place(name, hosts, hosts.length);
}
