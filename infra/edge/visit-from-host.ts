import { randomUUID } from 'node:crypto';
import type { CallOptions, ContainerDetails, Engine } from '../docker/api/client.ts';
import { labels, ownerLabels, passingParts } from '../docker/labels.ts';

/** Seconds after which the container that asks ends by itself, and is gone. */
const longest = 60;

/**
 * Runs the edge's `visit` in the network of its host itself, where neither the host's firewall nor the rules for containers
 * stand between a request and a published port. Returns its output. A container with the edge's image does it, which can
 * read the edge's volume and nothing else, and goes afterwards. What a killed command left of one goes with the next
 * promotion.
 */
export async function visitFromHost(
  engine: Engine,
  edge: string,
  words: readonly string[],
  call: CallOptions,
): Promise<string> {
  const found = await engine.inspectContainer(edge, call);
  const name = `${edge}-visit-${randomUUID().slice(0, 8)}`;
  try {
    // An answer that is lost does not say that nothing was made.
    await engine.createContainer(name, bodyOf(edge, found), call);
    await engine.startContainer(name, call);
    const { stdout } = await engine.exec(name, ['sh', '/live/edge.sh', 'visit', ...words], call);
    return stdout;
  } finally {
    await engine.removeContainer(name, { force: true }).catch(() => undefined);
  }
}

function bodyOf(edge: string, found: ContainerDetails | undefined) {
  const { [labels.app]: app = '', [labels.environment]: environment = '' } = found?.Config.Labels ?? {};
  return {
    Image: found?.Image ?? '',
    Labels: ownerLabels(app, environment, passingParts.visit),
    Entrypoint: ['sleep', String(longest)],
    Cmd: [],
    User: '65534:65534',
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: 'host',
      // An engine that maps users has no other way into the host's network.
      UsernsMode: 'host',
      VolumesFrom: [`${edge}:ro`],
      AutoRemove: true,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Memory: 32 * 2 ** 20,
      PidsLimit: 64,
      Init: true,
    },
  };
}
