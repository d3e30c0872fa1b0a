import type { LoadBalancerView } from '../../../pipelines/inspection/observation.ts';
import { colors } from '../../tools/colors.ts';
import { table } from '../../tools/format.ts';
import { loadBalancerLine } from './status.ts';

/** A host of an environment, and whether it answers. */
export interface ListedHost {
  readonly environment: string;
  readonly name: string;
  readonly url: string;
  /** where its published ports are reached */
  readonly address: string;
  readonly jump?: string;
  readonly state: 'ready' | 'not reachable' | 'cordoned';
  /** why it cannot be reached */
  readonly error?: string;
  readonly engine?: string;
  readonly platform?: string;
}

/** The load balancer of an environment's own machines. */
export interface ListedLoadBalancer extends LoadBalancerView {
  readonly environment: string;
}

/** Shows one line for each load balancer. */
export function loadBalancerListLines(fronts: readonly ListedLoadBalancer[]): string[] {
  return fronts.map((loadBalancer) => `${colors.bold(loadBalancer.environment)}  ${loadBalancerLine(loadBalancer)}`);
}

/** Shows one line for each host. */
export function hostListLines(hosts: readonly ListedHost[]): string[] {
  const header = ['environment', 'host', 'reached by', 'engine', 'platform', 'state'].map((word) => colors.dim(word));
  const rows = hosts.map(({ environment, name, url, jump, engine = '-', platform = '-', state, error }, index) => [
    hosts[index - 1]?.environment === environment ? '' : colors.bold(environment),
    name,
    jump === undefined ? url : `${url} through ${jump}`,
    engine,
    platform,
    stateText(state, error),
  ]);
  return table([header, ...rows]);
}

function stateText(state: ListedHost['state'], error: string | undefined): string {
  switch (state) {
    case 'ready':
      return colors.green(state);
    case 'cordoned':
      return colors.yellow(state);
    case 'not reachable':
      return `${colors.red(state)}: ${error}`;
  }
}
