import { messageOf } from '../../pipelines/errors.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import { copyOf, type KeptRecord } from '../../pipelines/model/record-copy.ts';
import { schedulesReplicas, type Target } from '../../pipelines/model/target.ts';
import type { Engine } from '../docker/api/client.ts';
import type { Connections } from '../docker/connections.ts';
import { Edge } from '../edge/edge.ts';
import type { Place } from '../resources/inputs.ts';
import { runtimeOf } from '../workloads/runtimes.ts';
import { queryHosts } from './query.ts';

/** Milliseconds that a host has to answer. */
const timeouts = { first: 10_000, total: 60_000 };

/** Asks targets at once for what they have of an environment. Never throws for a target. */
export async function keptRecords(
  connections: Pick<Connections, 'engine'>,
  place: Place,
  targets: readonly Target[],
): Promise<readonly KeptRecord[]> {
  const found = await queryHosts(targets, timeouts, async (host, _signal, onFirstAnswer): Promise<KeptRecord> => {
    const engine = await connections.engine(host);
    onFirstAnswer();
    const [containers, told] = await Promise.all([
      runtimeOf(host).specHashes(engine, place),
      schedulesReplicas(host) ? {} : whatEdgeKeeps(engine, place),
    ]);
    return { host, containers, ...told };
  });
  return found.map((each) => ('answer' in each ? each.answer : { ...each, containers: new Map() }));
}

/** Asks for files alone: an edge that does not run has them, too. */
async function whatEdgeKeeps(
  engine: Engine,
  place: Place,
): Promise<Pick<KeptRecord, 'fence' | 'copy' | 'noCopy' | 'unread'>> {
  const edge = new Edge(engine, environmentNames(place.app, place.environment).edge);
  let fence: Pick<KeptRecord, 'fence'> = {};
  try {
    const found = await edge.fence();
    if (found) fence = { fence: found };
    const text = await edge.record();
    return text === undefined
      ? { ...fence, noCopy: 'it keeps no copy of the record' }
      : { ...fence, copy: copyOf(text) };
  } catch (error) {
    return { ...fence, noCopy: messageOf(error), unread: true };
  }
}
