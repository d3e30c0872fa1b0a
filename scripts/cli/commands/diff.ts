import { LockageError } from '../../../pipelines/errors.ts';
import { differencesBetween, type Difference } from '../../../pipelines/hosts/parity.ts';
import { driftedOf, type HostDrift } from '../../../pipelines/inspection/drift.ts';
import { traitNames, type HostTraits } from '../../../pipelines/model/host-traits.ts';
import { withoutCordoned } from '../../../pipelines/model/cordons.ts';
import { environmentNamed } from '../../../pipelines/model/pipeline.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import { compareSides, parseSide, sideOf, type Side, type SideName } from '../../../pipelines/planning/comparison.ts';
import { partsOf } from '../../project/build-context.ts';
import { commitsBetween } from '../../tools/commits.ts';
import { ExitCode } from '../exit-codes.ts';
import { findReproduction } from '../../project/reproductions.ts';
import { refuseOver } from '../environment-life.ts';
import { openReproduction, type CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { diffJson, diffLines, type Comparison, type LayerShares } from '../views/diff.ts';

/** Runs `lockage diff`. */
export async function diffCommand(
  names: readonly [a: string, b: string],
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const [first, second] = names;
    const a = await placedSide(context, first, signal);
    const b = await placedSide(context, second, signal);
    const others = [a, b].filter((side) => side.context !== context);
    const found = await comparison(context, a, b).finally(() =>
      Promise.all(others.map((side) => side.context.connections.close())),
    );
    context.terminal.result(diffJson(found), diffLines(found, context.now()));
    const isSame = found.differences.length + found.traits.length + found.notes.length === 0;
    const isAsRecorded = [found.drift.a, found.drift.b].every((hosts) => driftedOf(hosts) === 'none');
    process.exitCode = isSame && isAsRecorded ? ExitCode.ok : ExitCode.partial;
  });
}

/** A side, with the context that knows its environment: what is reproduced here has one of its own. */
interface PlacedSide {
  readonly side: Side;
  readonly context: CommandContext;
}

async function placedSide(context: CommandContext, text: string, signal: AbortSignal): Promise<PlacedSide> {
  const reproduced = await findReproduction(process.cwd(), text.split('@')[0] ?? '');
  if (reproduced) await refuseOver(reproduced);
  const own = reproduced ? await openReproduction(reproduced, { keyless: true }, signal) : context;
  return { side: await sideNamed(own, parseSide(own.project, text)), context: own };
}

async function sideNamed({ records }: CommandContext, name: SideName): Promise<Side> {
  const { environment } = name;
  if (environment === undefined) return sideOf(name, { releases: await records.releases() });
  return sideOf(name, { releases: [], record: await records.environment(environment) });
}

/** Compares by what is recorded, and asks hosts, registry and git for the rest. What does not answer is a note. */
async function comparison(context: CommandContext, first: PlacedSide, second: PlacedSide): Promise<Comparison> {
  const [a, b] = [first.side, second.side];
  const notes: string[] = [];
  const orNote = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof LockageError)) throw error;
      notes.push([error.message, ...error.details].join(': '));
      return undefined;
    }
  };
  const [layers, commits, traits, driftOfA, driftOfB] = await Promise.all([
    orNote(layerShares(context, a.release, b.release)),
    commitsOf(context, a.release, b.release),
    orNote(traitDifferences(first, second)),
    driftOf(first),
    driftOf(second),
  ]);
  return {
    ...{ a, b, differences: compareSides(a, b), traits: traits ?? [], drift: { a: driftOfA, b: driftOfB }, notes },
    ...(layers ? { layers } : {}),
    ...(commits ? { commits: commits.listed } : {}),
    ...(commits?.more ? { moreCommits: true } : {}),
  };
}

async function layerShares(
  { registryClient }: CommandContext,
  a: Release,
  b: Release,
): Promise<LayerShares | undefined> {
  if (a.digest === b.digest) return undefined;
  const [of, and] = await Promise.all(
    [a, b].map(({ repository, digest, platform }) => registryClient.layers(repository, digest, platform)),
  );
  const [ofA, ofB] = [of ?? [], and ?? []];
  const isIn = (other: typeof ofA) => (layer: { readonly digest: string }) =>
    other.some(({ digest }) => digest === layer.digest);
  const sum = (layers: typeof ofA) => ({
    count: layers.length,
    bytes: layers.reduce((bytes, each) => bytes + each.bytes, 0),
  });
  return {
    shared: sum(ofA.filter(isIn(ofB))),
    a: sum(ofA.filter((layer) => !isIn(ofB)(layer))),
    b: sum(ofB.filter((layer) => !isIn(ofA)(layer))),
  };
}

function commitsOf({ project }: CommandContext, a: Release, b: Release) {
  if (a.commit === undefined || b.commit === undefined || a.commit === b.commit) return undefined;
  return commitsBetween(project.root, a.commit, b.commit, partsOf(project));
}

/** Compares the hosts in service of two environments as they are now: of what they were, nothing is recorded. */
async function traitDifferences(first: PlacedSide, second: PlacedSide): Promise<Difference[]> {
  const [a, b] = [first, second].map(({ side }) => side.name.environment);
  if (a === undefined || b === undefined || a === b) return [];
  const traitsOf = async (
    { records, hosts, project }: CommandContext,
    name: string,
  ): Promise<readonly HostTraits[]> => {
    const { ledger } = await records.environment(name);
    return hosts.traits(withoutCordoned(environmentNamed(project, name), ledger), traitNames);
  };
  const [here, there] = await Promise.all([traitsOf(first.context, a), traitsOf(second.context, b)]);
  return here.length === 0 || there.length === 0 ? [] : differencesBetween(here, there);
}

async function driftOf({ side: { name }, context }: PlacedSide): Promise<readonly HostDrift[]> {
  const { records, drift, project } = context;
  if (!name.running || name.environment === undefined) return [];
  return drift.find(environmentNamed(project, name.environment), await records.environment(name.environment));
}
