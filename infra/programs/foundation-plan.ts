import type { Environment } from '../../pipelines/model/environment.ts';
import type { HostPorts } from '../edge/published-ports.ts';

/** The parts that stay on an environment's hosts while releases come and go. */
export interface FoundationPlan {
  readonly app: string;
  readonly environment: Environment;
  /** image reference in the configuration → reference by digest, fixed when it was first used */
  readonly images: Readonly<Record<string, string>>;
  /** host and image reference in the configuration, see `imageKey` → the name by which the host has it */
  readonly held: Readonly<Record<string, string>>;
  readonly edgeImage: string;
  /** host name → how the Docker plugin reaches its engine */
  readonly engines: Readonly<Record<string, { readonly host: string; readonly certPath?: string }>>;
  /** secret name → short hash of its value, for the accessories */
  readonly secretVersions: Readonly<Record<string, string>>;
  /** hash of everything above that matters: the foundation is only looked at again when it differs */
  readonly fingerprint: string;
  /** host name → hash of what its edge proxy is made from */
  readonly edges: Readonly<Record<string, string>>;
  /** the public ports of each host */
  readonly ports: HostPorts;
  /** names of recorded accessories, with their hosts, that are configured no more: what they are stays as it is */
  readonly kept: readonly string[];
  /** names of hosts that are no longer configured and still serve: what stands on them stays as it is */
  readonly leaving: ReadonlySet<string>;
  /** host name → id of a network that is there and not recorded: it is taken over */
  readonly networks: Readonly<Record<string, string>>;
  /** host name → address, of all that accessories on other hosts are found at */
  readonly addresses: Readonly<Record<string, string>>;
  /** something of the environment was there before */
  readonly standing: boolean;
  /** what is made again although it is there: see `partKey` */
  readonly replaced: ReadonlySet<string>;
  /** another one delivers the accessories' secrets once more */
  readonly delivery: string;
}

/** Returns the key of an image on a host in `FoundationPlan.held`. */
export function imageKey(host: string, image: string): string {
  return `${host} ${image}`;
}
