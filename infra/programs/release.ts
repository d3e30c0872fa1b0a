import { withoutOldLogs } from '../../pipelines/model/job-results.ts';
import type { JobResult } from '../../pipelines/model/verification.ts';
import { restsAsStandby } from '../../pipelines/model/container-spec.ts';
import { onActiveHosts } from '../../pipelines/model/cordons.ts';
import { samePlace, type DesiredState, type PlacedContainer } from '../../pipelines/model/desired-state.ts';
import type { Revision } from '../../pipelines/model/revision.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import { steadyNow } from '../system/clock.ts';
import type { SecretValues } from '../context/secret-values.ts';
import { hostRoutes, type HostRoutes } from '../edge/host-routes.ts';
import { Container, Handover, Ledger, Migration, Routes, Secret, Verification, Watch } from '../resources/classes.ts';
import type { StopFirstInputs } from '../resources/inputs.ts';
import { claimTurn } from './attempt.ts';

/** Time for the record after the watch, in seconds, before hosts go back by themselves. */
const guardMargin = 15;

/** What operations find out on their way, and the revision says. */
interface Told {
  readonly jobResults?: readonly JobResult[];
  /** see `Revision` */
  readonly gaps?: Readonly<Record<string, number>>;
}

/**
 * Returns the Pulumi program of an environment. Its order is the promotion: the migration, then all new containers
 * beside the serving ones, then the barrier, and only behind it the routes of all hosts, the watch and the record.
 * What is not declared any more is removed by Pulumi after all of that. `told`: where the barrier and the watch note what
 * they found.
 */
export function environmentProgram(desired: DesiredState, values: SecretValues, told: Told = {}): () => Promise<void> {
  return async () => {
    const { app, environment, operation, turn } = desired;
    const sealed = await sealedSecrets(desired, values);
    const place = { app, environment };
    const hosts = hostRoutes(desired);
    // First of all: whoever was overtaken is told so before anything is made.
    const claim = claimTurn(desired);
    const secrets = sealed.map(
      ({ name, version, text }) =>
        new Secret({ ...place, secret: name, version, sealed: text }, { dependsOn: [claim] }),
    );
    const migration = desired.migration
      ? [new Migration({ ...place, ...desired.migration }, { dependsOn: [claim, ...secrets] })]
      : [];
    const made = { dependsOn: [claim, ...secrets, ...migration] };
    const containers = [
      ...desired.serving.map(
        (placed) =>
          new Container({ ...place, ...placed, ...madeAgain(desired, placed), ...later(desired, placed) }, made),
      ),
      ...desired.standby.map(
        (placed) =>
          new Container({ ...place, ...placed, ...madeAgain(desired, placed), ...resting(desired, placed) }, made),
      ),
    ];
    const verification = new Verification(
      { ...place, ...barrierOf(desired, hosts) },
      { dependsOn: [...containers, ...migration] },
    );
    const guarded = desired.guarded && !desired.handover;
    const guard = guarded ? Math.ceil((desired.watch + jobsTime(desired)) / 1000) + guardMargin : 0;
    const routes = new Routes({ ...place, operation, turn, hosts, guard }, { dependsOn: [verification] });
    // Machines that nobody sends anything to yet have their routes for good: what is taken back is the handover.
    const handover = desired.handover && { ...place, operation, ...handoverOf(desired.handover, hosts) };
    const traffic = handover ? new Handover(handover, { dependsOn: [routes] }) : routes;
    const watched = { ...watchOf(desired, hosts), ...(handover ? { handover } : {}), guarded, hosts };
    const watch = new Watch({ ...place, ...watched }, { dependsOn: [traffic] });
    // Only when the watch is over is it known how long the operation took.
    const revisions = watch.id.apply(() => JSON.stringify(verified(timed(desired), told)));
    new Ledger({ ...place, ...desired.ledger, revisions }, { dependsOn: [watch] });
  };
}

/**
 * Returns the secrets to record. One whose value this process does not know is recorded already, and what is recorded
 * stays.
 */
function sealedSecrets({ secrets }: DesiredState, values: SecretValues) {
  return Promise.all(
    secrets.map(async ({ name, version }) => ({ name, version, text: (await values.sealed(name, version)) ?? '' })),
  );
}

function barrierOf(desired: DesiredState, hosts: readonly HostRoutes[]) {
  const { operation, wake, verify, guarded } = desired;
  return {
    ...{ operation, wake, containers: verify, routes: guarded ? hosts : [] },
    ...stopFirstOf(desired),
    ...migrated(desired, hosts),
  };
}

function watchOf(desired: DesiredState, hosts: readonly HostRoutes[]) {
  const { operation, turn, watch, ledger, serving, handover, standby, anew } = desired;
  const kept = handover ? standby : anew;
  return {
    operation,
    turn,
    duration: watch,
    containers: onActiveHosts(ledger, serving),
    ...(watchesAccessories(desired) ? { accessories: neighboursOf(desired, hosts) } : {}),
    stop: toRest(desired),
    ...(desired.jobs ? { jobs: desired.jobs } : {}),
    ...(kept ? { kept } : {}),
    ...stopFirstOf(desired),
  };
}

/** Milliseconds that a container may need to be made and removed. */
const jobMargin = 15_000;

/** Returns how long all tries of all jobs may take, in milliseconds: no host goes back by itself before. */
function jobsTime({ jobs = [] }: DesiredState): number {
  return jobs.reduce((sum, { timeout, retries }) => sum + (timeout + jobMargin) * (retries + 1), 0);
}

/** Adds what was found out to the revision that is made. */
function verified(revisions: readonly Revision[], { jobResults = [], gaps = {} }: Told): readonly Revision[] {
  const last = revisions.at(-1);
  if (!last) return revisions;
  const found = {
    ...last,
    ...(jobResults.length > 0 ? { verification: jobResults } : {}),
    ...(last.result === 'succeeded' && Object.keys(gaps).length > 0 ? { gaps } : {}),
  };
  const all = [...revisions.slice(0, -1), found];
  return jobResults.length > 0 ? withoutOldLogs({ revisions: all }).revisions : all;
}

/** Returns whether accessories are watched: going back must not wait for what may be the reason for it. */
function watchesAccessories({ ledger, guarded }: DesiredState): boolean {
  return guarded && ledger.revisions.at(-1)?.kind !== 'rollback';
}

function timed({ ledger, startedAt }: DesiredState): Revision[] {
  const last = ledger.revisions.at(-1);
  return last && startedAt !== undefined
    ? [...ledger.revisions.slice(0, -1), { ...last, duration: steadyNow() - startedAt }]
    : [...ledger.revisions];
}

/** Returns the migration to ask for; none that is recorded of a host that is not there any more. */
function migrated({ migration }: DesiredState, hosts: readonly HostRoutes[]) {
  if (!migration || !hosts.some(({ host }) => host.name === migration.host.name)) return {};
  return { migrated: { host: migration.host, spec: migration.spec } };
}

/** Returns the hosts whose accessories are watched: those that serve, where some may be left, and those that have nothing else. */
function neighboursOf({ neighbours = [] }: DesiredState, routes: readonly HostRoutes[]): readonly EnvironmentHost[] {
  const all = [...routes.map(({ host }) => host), ...neighbours];
  return [...new Map(all.map((host) => [host.name, host])).values()];
}

/**
 * Returns the machines with the ports that are served on them, which are those of the ones that take over from them.
 */
function handoverOf({ from, to }: NonNullable<DesiredState['handover']>, routes: readonly HostRoutes[]) {
  const ports = (name: string) => Object.keys(routes.find(({ host }) => host.name === name)?.set ?? {}).map(Number);
  const server = ({ name, address }: EnvironmentHost, index: number) => ({
    name,
    address,
    ports: ports(to[index]?.name ?? name),
  });
  return { from: from.map(server), to: to.map(server) };
}

/**
 * Marks a container that rests: one of an earlier release that is made again must not work beside those that serve, and none
 * of a role whose serving ones bear no other beside them may run at all.
 */
export function resting(desired: DesiredState, placed: PlacedContainer): { rests?: true } {
  const { handover, drill, anew } = desired;
  const isMade = handover ?? drill ?? anew?.some((other) => samePlace(other, placed));
  const isAlone = desired.serving.some(({ spec }) => spec.replace && spec.role === placed.spec.role);
  return isMade && (isAlone || restsAsStandby(placed.spec)) ? { rests: true } : {};
}

function stopFirstOf({ stopFirst, serving, ledger }: DesiredState): { stopFirst?: StopFirstInputs } {
  if (!stopFirst) return {};
  const { roles, start } = stopFirst;
  const stays = (placed: PlacedContainer) =>
    roles.includes(placed.spec.role) && !start.some((other) => samePlace(other, placed));
  return { stopFirst: { ...stopFirst, serving: onActiveHosts(ledger, serving).filter(stays) } };
}

/** Marks a container that starts only when the one before it has ended. */
function later({ stopFirst }: DesiredState, placed: PlacedContainer): { rests?: true } {
  return stopFirst?.start.some((other) => samePlace(other, placed)) ? { rests: true } : {};
}

/**
 * Marks a container that is made again: what is recorded of it may not be on its host any more, which Pulumi does not
 * know.
 */
function madeAgain({ again = [], anew = [], operation }: DesiredState, placed: PlacedContainer): { again?: string } {
  return [...again, ...anew].some((other) => samePlace(other, placed)) ? { again: operation } : {};
}

/** Returns the earlier containers that must not work beside the new ones, as two workers of two versions. */
function toRest(desired: DesiredState) {
  return onActiveHosts(desired.ledger, desired.standby).filter(({ spec }) => restsAsStandby(spec));
}
