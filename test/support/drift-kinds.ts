/**
 * Everything that is done by hand to a host and found by `drift`: what `test/real/drift.test.ts` does, and what
 * docs/drift.md says of it.
 */

/** Something that a person does by hand. */
export interface DriftKind {
  /** for the table */
  readonly what: string;
  /** words for `docker`, several commands; `WEB` and the like stand for parts of that host, with `OTHER-` of prod-2 */
  readonly byHand: readonly string[];
  /** a program on the host instead of `docker` */
  readonly onHost?: readonly (readonly string[])[];
  readonly host?: 'prod-1' | 'prod-2';
  /** what is named, as a part or a name */
  readonly named: string;
  readonly member: string;
}

/** Kinds that are done, found and healed together. */
export interface DriftGroup {
  readonly name: string;
  /** for the table */
  readonly healed: string;
  /** the hosts whose visitors notice nothing while it is healed; the others had no answer, or their edge is replaced */
  readonly served: readonly number[];
  /** it stays, and a person has to do something */
  readonly stays?: true;
  readonly kinds: readonly DriftKind[];
}

const kind = (
  what: string,
  byHand: string,
  named: string,
  member: string,
  more: Partial<DriftKind> = {},
): DriftKind => ({
  what,
  byHand: byHand.split(' && '),
  named,
  member,
  ...more,
});
const second = { host: 'prod-2' } as const;
const ownLabels = '--label lockage.app=trial --label lockage.environment=prod --label lockage.part=release';

export const driftGroups: readonly DriftGroup[] = [
  {
    name: 'what was done to containers that serve on',
    healed: 'all containers of the release are replaced behind the barrier',
    served: [0, 1],
    kinds: [
      kind('more memory', 'update --memory 300m --memory-swap 300m WEB', 'WEB', 'HostConfig.Memory'),
      kind('a soft limit of memory', 'update --memory-reservation 32m WEB', 'WEB', 'HostConfig.MemoryReservation'),
      kind('more processors', 'update --cpus 0.9 WEB', 'WEB', 'HostConfig.NanoCpus'),
      kind('a share of processors', 'update --cpu-shares 512 WEB', 'WEB', 'HostConfig.CpuShares'),
      kind('processors of its own', 'update --cpuset-cpus 0 WEB', 'WEB', 'HostConfig.CpusetCpus'),
      kind('more processes', 'update --pids-limit 200 WEB', 'WEB', 'HostConfig.PidsLimit'),
      kind('another restart policy', 'update --restart unless-stopped WEB', 'WEB', 'HostConfig.RestartPolicy.Name'),
      kind('one more network', 'network connect bridge WEB', 'WEB', 'Networks'),
      kind('a renamed container', 'rename OTHER-WEB renamed', 'OTHER-WEB', 'container', second),
      kind('its image taken from the host', 'rmi --force IMAGE', 'WEB-2', 'image'),
      kind('a worker that was stopped', 'stop --time 0 OTHER-WORKER', 'OTHER-WORKER', 'state', second),
      kind('a worker that ended and was restarted', '', 'WORKER', 'restarts', {
        onHost: [['kill', '-KILL', 'PID-OF-WORKER']],
      }),
      kind(
        'one more container with its labels',
        `run --detach --entrypoint sleep --name twin ${ownLabels} EDGE-IMAGE 999`,
        'twin',
        'container',
      ),
    ],
  },
  {
    name: 'what was done to what stands by',
    healed: 'it is removed and made again, running or resting as it was; what serves is not touched',
    served: [0, 1],
    kinds: [
      kind('a standby that was killed', 'kill STANDBY', 'STANDBY', 'state'),
      kind('a standby that was paused', 'pause STANDBY-2', 'STANDBY-2', 'state'),
      kind(
        'a standby with other limits',
        'update --memory 300m --memory-swap 300m OTHER-STANDBY',
        'OTHER-STANDBY',
        'HostConfig.Memory',
        second,
      ),
      kind('a resting worker that was started', 'start REST', 'REST', 'state'),
      kind(
        'a resting worker that was removed, with its secrets',
        'rm --force OTHER-REST && volume rm OTHER-REST.secrets',
        'OTHER-REST',
        'container',
        second,
      ),
    ],
  },
  {
    name: 'what was done to containers that then served no more',
    healed: 'all containers of the release are replaced behind the barrier, and the routes set again',
    served: [1],
    kinds: [
      kind('a stopped container', 'stop --time 0 WEB', 'WEB', 'state'),
      kind('a container taken off its network', 'network disconnect NETWORK WEB-2', 'WEB-2', 'Networks'),
      kind('a paused container', 'pause WORKER', 'WORKER', 'state'),
      kind(
        'a removed container, with its secrets',
        'rm --force OTHER-WORKER && volume rm OTHER-WORKER.secrets',
        'OTHER-WORKER',
        'container',
        second,
      ),
      kind(
        'a container that lost its name on the network',
        'network disconnect NETWORK OTHER-WEB && network connect NETWORK OTHER-WEB',
        'OTHER-WEB',
        'Networks.trial-prod.Aliases',
        second,
      ),
      kind('a guard that does not live', 'exec EDGE ln -sfn 1.1.1 /live/guard', 'EDGE', 'guard'),
      kind('an edited route', 'exec EDGE ln -sfn sets/none /live/now', 'EDGE', 'routes'),
    ],
  },
  {
    name: 'what was done to an edge or an accessory',
    healed: 'it is replaced: the ports of that host are closed for about a second; an accessory keeps its data',
    served: [1],
    kinds: [
      kind(
        'an edge with another restart policy',
        'update --restart unless-stopped EDGE',
        'EDGE',
        'HostConfig.RestartPolicy.Name',
      ),
      kind('an edge with more memory', 'update --memory 300m --memory-swap 300m EDGE', 'EDGE', 'HostConfig.Memory'),
      kind('an edge on one more network', 'network connect bridge EDGE', 'EDGE', 'Networks'),
      kind('a file changed by `docker exec`', 'exec --user 0 CACHE sh -c echo>>/etc/passwd', 'CACHE', 'files'),
      kind(
        'an accessory with more memory',
        'update --memory 300m --memory-swap 300m CACHE',
        'CACHE',
        'HostConfig.Memory',
      ),
      kind('an accessory that was stopped', 'stop --time 0 QUEUE', 'QUEUE', 'state'),
      kind('a killed proxy process', '', 'EDGE', 'restarts', { onHost: [['kill', '-KILL', 'PID-OF-EDGE']] }),
    ],
  },
  {
    name: 'lost rules of the firewall',
    healed: 'the edge is replaced, and its engine makes its rules again',
    served: [1],
    kinds: [
      kind('flushed rules of the firewall, and the proxy of the port killed', '', 'EDGE', 'port', {
        host: 'prod-1',
        onHost: [
          ['iptables', '-t', 'nat', '-F', 'DOCKER'],
          ['pkill', '-f', 'docker-proxy'],
        ],
      }),
    ],
  },
  {
    name: 'a network and a volume that were removed',
    healed: 'network, volume and edge are made again, and the containers replaced',
    served: [1],
    kinds: [
      kind('a removed edge, with its volume', 'rm --force EDGE && volume rm NETWORK-live', 'EDGE', 'container'),
      kind('a removed network', 'network disconnect --force NETWORK ALL && network rm NETWORK', 'NETWORK', 'network'),
    ],
  },
  {
    name: 'what is for a person to decide',
    healed: 'it is named with what to do (5), and not touched',
    served: [0, 1],
    stays: true,
    kinds: [
      kind(
        'a stranger on its network',
        'run --detach --entrypoint sleep --name stranger --network NETWORK EDGE-IMAGE 999',
        'stranger',
        'network',
      ),
      kind(
        'a container of nobody under the labels of an edge',
        `run --detach --entrypoint sleep --name other ${ownLabels.replace('release', 'edge')} EDGE-IMAGE 999`,
        'other',
        'container',
      ),
    ],
  },
];

/** Returns the table of docs/drift.md. */
export function driftTable(): string {
  const rows = driftGroups.flatMap(({ healed, served, kinds }) =>
    kinds.map(({ what, member }) => {
      const unserved = served.length === 2 ? 'none' : 'none on the other hosts';
      return [what, `\`${member.replace('.trial-prod', '')}\``, healed, unserved];
    }),
  );
  const header = ['done by hand', 'found as', 'healed', 'requests lost while it is healed'];
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
