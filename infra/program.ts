import type { Desired, Placed } from '../pipelines/desired.ts';
import type { Host } from '../pipelines/environment.ts';
import type { RouteSet } from './edge/routes.ts';
import { Container, Ledger, Migration, Routes, Secret, Verification, Watch } from './provider/resources.ts';
import type { HostRoutes } from './provider/types.ts';

/** Time for the record after the watch, in seconds, before hosts go back by themselves. */
const guardMargin = 30;

/**
 * The Pulumi program of an environment. Its order is the promotion: the migration, then all new containers beside the
 * serving ones, then the barrier, and only behind it the routes of all hosts, the watch and the record. What is not
 * declared any more is removed by Pulumi after all of that.
 */
export function environmentProgram(desired: Desired): () => Promise<void> {
  return async () => {
    const { app, environment, operation } = desired;
    const place = { app, environment };
    const secrets = desired.secrets.map(
      ({ name, version, value }) => new Secret({ ...place, secret: name, version, value: value ?? '' }),
    );
    const migration = desired.migration
      ? [new Migration({ ...place, ...desired.migration }, { dependsOn: secrets })]
      : [];
    const containers = [...desired.serving, ...desired.standby].map(
      (placed) => new Container({ ...place, ...placed }, { dependsOn: [...secrets, ...migration] }),
    );
    const verification = new Verification({ ...place, operation, containers: desired.verify }, { dependsOn: containers });
    const hosts = hostRoutes(desired);
    const guard = desired.guarded ? Math.ceil(desired.watch / 1000) + guardMargin : 0;
    const routes = new Routes({ ...place, operation, hosts, guard }, { dependsOn: [verification] });
    const watch = new Watch(
      {
        ...place,
        operation,
        duration: desired.watch,
        guarded: desired.guarded,
        hosts,
        containers: desired.serving,
        stop: withoutTraffic(desired),
      },
      { dependsOn: [routes] },
    );
    new Ledger({ ...place, ...desired.ledger }, { dependsOn: [watch] });
  };
}

/** What each host's edge sends where: the serving containers' aliases, with the earlier release to fall back on. */
export function hostRoutes(desired: Pick<Desired, 'serving' | 'fallback'>): HostRoutes[] {
  const hosts = new Map<string, { host: Host; set: Record<string, { primary: string; fallback: string }> }>();
  for (const { host, spec } of desired.serving) {
    const entry = hosts.get(host.name) ?? { host, set: {} };
    hosts.set(host.name, entry);
    if (!spec.route) continue;
    const primary = `${spec.alias}:${spec.route.port}`;
    entry.set[spec.route.publish] = { primary, fallback: before(desired.fallback, host, spec.route.publish) ?? primary };
  }
  return [...hosts.values()].map(({ host, set }) => ({ host, set: set as RouteSet }));
}

function before(fallback: readonly Placed[], host: Host, publish: number): string | undefined {
  const found = fallback.find(({ host: other, spec }) => other.name === host.name && spec.route?.publish === publish);
  return found?.spec.route ? `${found.spec.alias}:${found.spec.route.port}` : undefined;
}

/** Earlier containers that get no traffic must not work beside the new ones: two workers of two versions. */
function withoutTraffic(desired: Desired) {
  return desired.standby
    .filter(({ spec }) => !spec.route)
    .map(({ host, spec }) => ({ host, name: spec.name, grace: spec.stopGrace }));
}
