/**
 * The kinds of targets that the demo's environments can run on. From kind to kind only `targets` of an environment's
 * file differs.
 */
import { didYouMean } from '../../pipelines/text/suggest.ts';
import type { LabEnvironment } from '../lab/lab.ts';

/** The environments of the demo, in pipeline order. */
export const environmentNames = ['dev', 'qa', 'uat', 'prod'] as const;
export type EnvironmentName = (typeof environmentNames)[number];

export interface TargetKind {
  /** a description for people */
  readonly what: string;
  /** hosts of the lab; an environment without any makes its machines itself */
  readonly lab: Readonly<Partial<Record<EnvironmentName, LabEnvironment>>>;
  /** machines, as an environment's file names them */
  readonly machines?: Readonly<Partial<Record<EnvironmentName, Machines>>>;
  /** the word for one of several in prod */
  readonly one: string;
  /** requests a second on prod, over all its hosts together; 210 by default */
  readonly visitors?: number;
}

interface Machines {
  readonly kind: string;
  readonly count: number;
  readonly memory: string;
  readonly cpus: number;
}

const oneHere: LabEnvironment = { hosts: 1, reach: 'unix' };
const overSsh = (hosts: number): LabEnvironment => ({ hosts, reach: 'ssh' });
const machines = (kind: string, count: number): Machines => ({ kind, count, memory: '1GiB', cpus: 2 });

export const targetKinds = {
  hosts: {
    what: 'a lab of bare hosts: dev 1, qa 1, uat 2, prod 3',
    lab: { dev: oneHere, qa: oneHere, uat: overSsh(2), prod: overSsh(3) },
    one: 'host',
  },
  ssh: {
    what: 'a lab of bare hosts, all over ssh: dev 1, qa 1, uat 2, prod 3',
    lab: { dev: overSsh(1), qa: overSsh(1), uat: overSsh(2), prod: overSsh(3) },
    one: 'host',
  },
  lxc: {
    what: 'bare hosts: dev 1, qa 1; machines (LXC) that environments make themselves: uat 1, prod 2',
    lab: { dev: oneHere, qa: oneHere },
    machines: { uat: machines('lxc', 1), prod: machines('lxc', 2) },
    one: 'machine',
  },
  vms: {
    what: 'bare hosts: dev 1, qa 1, uat 2; a virtual machine that prod makes itself',
    lab: { dev: oneHere, qa: oneHere, uat: overSsh(2) },
    machines: { prod: machines('vm', 1) },
    one: 'machine',
    // An emulated processor is some ten times slower, and shares the real ones with everything the demo does meanwhile.
    visitors: 5,
  },
  swarm: {
    what: 'bare hosts: dev 1, qa 1, uat 2; prod a Docker Swarm of 3 managers',
    lab: { dev: oneHere, qa: oneHere, uat: overSsh(2), prod: { ...overSsh(3), managers: 3 } },
    one: 'node',
  },
} satisfies Record<string, TargetKind>;

export type TargetKindName = keyof typeof targetKinds;

/** Returns the kind of that name, or the message for anything else. */
export function targetKindNamed(word: string): { readonly name: TargetKindName } | { readonly problem: string } {
  const names = Object.keys(targetKinds) as TargetKindName[];
  const name = names.find((each) => each === word);
  if (name !== undefined) return { name };
  return {
    problem: `no targets ${JSON.stringify(word)}${didYouMean(word, names) || `: there are ${names.join(', ')}`}`,
  };
}
