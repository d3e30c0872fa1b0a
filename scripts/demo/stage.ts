/**
 * The place where the demo plays: a lab of bare hosts, or the one Docker Engine that answers. Either way it lies in one
 * folder, so that a later run finds and removes what an earlier one left.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { createLab, type BareHost, type Lab } from '../lab/lab.ts';
import { createOneEngineLab } from '../lab/one-engine.ts';
import {
  environmentNames,
  targetKinds,
  type EnvironmentName,
  type TargetKind,
  type TargetKindName,
} from './targets.ts';

const labName = 'demo';
const laptop = 'laptop';
const seed = ['node', 'edge', 'postgres'] as const;
/** The public port of the shop on hosts that have all ports to themselves. */
export const publicPort = 8000;

export interface StageHost {
  readonly environment: string;
  /** as an environment's file names a target */
  readonly target: Readonly<{ name: string } & Record<string, string>>;
  /** a node of a swarm */
  readonly isNode: boolean;
  readonly publish: number;
  /** the URL that visitors use */
  readonly url: string;
  /** DOCKER_HOST of a host, not of a node of a swarm */
  readonly docker?: string;
  /** of a host that is the demo's own */
  readonly power?: Pick<BareHost, 'cutPower' | 'restorePower'>;
}

/** A computer that somebody works at: its Docker Engine, and where visitors find what that publishes. */
export interface Computer {
  readonly docker: string;
  readonly address: string;
  /** the file of its network, where that is not the one of this machine */
  readonly network?: string;
}

export interface Stage {
  readonly kind: TargetKindName | 'one-engine';
  /** the machines of environments that make their own */
  readonly machines: NonNullable<TargetKind['machines']>;
  /** requests a second on prod, where the kind has its own number */
  readonly visitors?: number;
  readonly app: string;
  /** `host:port` */
  readonly registry: string;
  /** base image → reference by digest */
  readonly images: Readonly<Record<(typeof seed)[number], string>>;
  /** builds the releases, and runs every command */
  readonly builder: Computer;
  /** has nothing yet, where the lab is one of bare hosts */
  readonly laptop: Computer;
  readonly hosts: readonly StageHost[];
  /** Runs `work` while no registry answers. */
  withoutRegistry<T>(work: () => Promise<T>): Promise<T>;
}

/** Returns the fixed folders of the demo. */
export function folders() {
  const home = path.join(cacheFolder(), 'demo');
  return { home, lab: path.join(home, 'lab'), project: path.join(home, 'shop'), away: path.join(home, 'away') };
}

/**
 * Returns the application's name. On an engine that is shared, it must not be the name of somebody else's application.
 */
export function appName(kind: Stage['kind']): string {
  return kind === 'one-engine' ? 'lockage-demo-shop' : 'shop';
}

/** Returns whether this machine can have hosts of its own. */
export function canHaveBareHosts(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}

/** Makes the lab. */
export async function setStage(kind: Stage['kind'], log: (line: string) => void): Promise<Stage> {
  const options = { name: labName, dataDir: folders().lab, seed, log };
  if (existsSync(options.dataDir))
    throw new Error(`${options.dataDir} is there: \`npm run demo -- --clean\` removes it`);
  const targets: Pick<TargetKind, 'lab' | 'machines' | 'visitors'> =
    kind === 'one-engine' ? { lab: {} } : targetKinds[kind];
  const lab =
    kind === 'one-engine'
      ? await createOneEngineLab({ ...options, environments: environmentNames })
      : await createLab({ ...options, environments: { ...targets.lab, [laptop]: { hosts: 1, reach: 'unix' } } });
  const { node = '', edge = '', postgres = '' } = lab.images;
  const computer = ({ dockerHost, address }: Lab['builder']) => ({ docker: dockerHost, address });
  return {
    kind,
    machines: targets.machines ?? {},
    ...(targets.visitors === undefined ? {} : { visitors: targets.visitors }),
    app: appName(kind),
    registry: lab.registry,
    images: { node, edge, postgres },
    builder: {
      ...computer(lab.builder),
      ...(kind === 'one-engine' ? {} : { network: `/run/netns/${lab.name}-builder` }),
    },
    laptop: computer(lab.hosts.find(({ environment }) => environment === laptop) ?? lab.builder),
    withoutRegistry: async (work) => {
      await lab.stopRegistry();
      try {
        return await work();
      } finally {
        await lab.startRegistry();
      }
    },
    hosts: lab.hosts
      .filter(({ environment }) => environment !== laptop)
      .map((host) => {
        const { name, environment, url, address, identity, hostKey } = host;
        const isNode = host.node !== undefined;
        const publish = 'publish' in host && typeof host.publish === 'number' ? host.publish : publicPort;
        return {
          environment,
          target: { name, url, address, ...(identity ? { identity } : {}), ...(hostKey ? { hostKey } : {}) },
          isNode,
          publish,
          url: `http://${address}:${publish}/`,
          ...(isNode ? {} : { docker: host.dockerHost }),
          ...('cutPower' in host ? { power: host } : {}),
        };
      }),
  };
}

/** Returns the hosts of one environment; none if it makes its machines itself. */
export function hostsOf(stage: Stage, environment: EnvironmentName): readonly StageHost[] {
  return stage.hosts.filter((host) => host.environment === environment);
}

/** Returns the number of hosts, nodes or machines that an environment has. */
export function sizeOf(stage: Stage, environment: EnvironmentName): number {
  return stage.machines[environment]?.count ?? hostsOf(stage, environment).length;
}
