import { join } from 'node:path';
import { Connections } from '../../infra/docker/connections.ts';
import { askEngine, type EngineReport } from '../../infra/hosts/engine-report.ts';
import { refuseLeftovers } from '../../infra/hosts/leftovers.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { Reproduction, ReproductionTime } from '../../pipelines/model/reproduction.ts';
import { isSshHost, type Host } from '../../pipelines/model/target.ts';
import {
  planReproduction,
  portsInQuestion,
  type ReproductionInputs,
} from '../../pipelines/planning/plan-reproduction.ts';
import { reproductionDifferences } from '../../pipelines/planning/reproduction-differences.ts';
import type { ResultOf } from '../../pipelines/operations/perform.ts';
import {
  removeReproduction,
  reproductionFolder,
  writeReproduction,
  type FoundReproduction,
} from '../project/reproductions.ts';
import { openStateFolder, stateFolderName } from '../project/state-folder.ts';
import { Redactor } from '../tools/redactor.ts';
import { openReproduction, type CommandContext } from './open-context.ts';
import type { Flags } from './options.ts';
import { findData } from './reproduction-data.ts';
import { chooseSecrets } from './reproduction-secrets.ts';
import type { ReproductionSource } from './reproduction-source.ts';
import { ConsoleTerminal } from './terminal.ts';
import type { Reproduced } from './views/reproduction.ts';

/** A reproduction that is asked for. */
export interface Wanted {
  readonly source: ReproductionSource;
  /** the folder that it belongs to */
  readonly root: string;
  readonly name: string;
  readonly host: Host;
  readonly scale: Readonly<Record<string, number>>;
  /** a file with the values of its secrets */
  readonly secrets?: string | undefined;
  /** the data to begin with, as they were given */
  readonly data?: readonly string[];
  /** the one that has the name already */
  readonly before?: Reproduction | undefined;
  /** decides its time by what its engine says; absent: it stays */
  readonly time?: (report: EngineReport) => ReproductionTime;
}

/** A reproduction that was decided and written down, and what takes that back. */
export interface Prepared {
  readonly context: CommandContext;
  readonly found: FoundReproduction;
  readonly report: EngineReport;
  readonly before?: Reproduction;
  undo(): Promise<void>;
}

/** Decides how it runs on its engine, and writes that down. Nothing of it is there by then. Throws LockageError. */
export async function prepareReproduction(wanted: Wanted, flags: Flags, signal: AbortSignal): Promise<Prepared> {
  const { source, root, name, host, scale, before } = wanted;
  const { recorded: of, bundle } = source;
  const { json = false, yes = false, plan = false } = flags;
  const folder = reproductionFolder(root, name);
  const report = await asked(wanted);
  const terminal = new ConsoleTerminal({ json, yes: yes || plan, redactor: new Redactor(), signal });
  const { platform } = report.facts;
  // Only where the platforms differ has the registry to be asked.
  const isNative = platform !== of.release.platform && (await source.hasImageFor(platform));
  const inputs = {
    of,
    name,
    host,
    engine: { ...report.facts, isNative },
    scale,
    secrets: {},
    ...(wanted.time ? { time: wanted.time(report) } : {}),
    ...(before ? { before } : {}),
    ...(await dataOf(wanted, signal)),
  };
  // What cannot run there is refused before anybody types a secret.
  const draft = planReproduction(inputs);
  for (const line of warnings(draft, report)) terminal.note(line);
  const secrets = await chooseSecrets({ of, folder, before, file: wanted.secrets, terminal });
  const found = { folder, reproduction: planReproduction({ ...inputs, secrets: secrets.origins }) };
  await openStateFolder(root);
  const putBack = await secrets.keep();
  await writeReproduction(found);
  const undo = async () => {
    if (!before) return removeReproduction(folder);
    await putBack();
    await writeReproduction({ folder, reproduction: before });
  };
  try {
    const context = await openReproduction(found, { ...flags, ...(bundle ? { bundle } : {}) }, signal);
    return { context, found, report, undo, ...(before ? { before } : {}) };
  } catch (error) {
    await undo();
    throw error;
  }
}

/** Looks at the data that were asked for. An image comes to the engine then, which changes nothing that runs. */
async function dataOf(wanted: Wanted, signal: AbortSignal): Promise<Pick<ReproductionInputs, 'data'> | undefined> {
  const { root, source, host, data: written = [] } = wanted;
  if (written.length === 0) return undefined;
  const connections = new Connections({ stateDir: join(root, stateFolderName) });
  try {
    const held = (image: string) => source.held(connections, host, image);
    return { data: await findData({ of: source.recorded, written, held, signal }) };
  } finally {
    await connections.close();
  }
}

/** Asks the engine what it is, and what it has. Throws LockageError where it has something of that name that nobody here made. */
async function asked({ root, source: { recorded: of }, host, name, before }: Wanted): Promise<EngineReport> {
  const connections = new Connections({ stateDir: join(root, stateFolderName) });
  try {
    const engine = await connections.engine(host);
    const place = { app: of.app, environment: name };
    if (!before) await refuseLeftovers(engine, place);
    const link = isSshHost(host) ? connections.link(host) : undefined;
    return await askEngine(engine, { host, place, ports: portsInQuestion(of), link });
  } finally {
    await connections.close();
  }
}

/** What a person should know before they say yes. */
function warnings({ of, ports, emulates }: Reproduction, { facts }: EngineReport): string[] {
  return [
    ...(emulates === undefined
      ? []
      : [`the images are for ${emulates}, and this engine is ${facts.platform}: it emulates them, which is slower`]),
    ...Object.entries(ports)
      .filter(([original, port]) => Number(original) !== port)
      .map(([original, port]) => `port ${original} of ${of.environment} is ${port} here`),
  ];
}

/** Returns whether an engine has nothing of a reproduction. Throws EngineError. */
export async function isNothingThere(
  { connections }: CommandContext,
  { host, name, of }: Reproduction,
): Promise<boolean> {
  const question = connections
    .engine(host)
    .then((engine) => refuseLeftovers(engine, { app: of.app, environment: name }));
  return question.then(
    () => true,
    (refusal: unknown) => {
      if (refusal instanceof LockageError) return false;
      throw refusal;
    },
  );
}

/** Returns what is shown of a reproduction at the end. */
export async function reproducedOf(
  source: ReproductionSource,
  { context, found, report }: Prepared,
  result: ResultOf<'reproduce'>,
): Promise<Reproduced> {
  const { reproduction, folder } = found;
  const edge = result.outcome === 'planned' ? undefined : (await context.records.standing(reproduction.name)).edges[0];
  const facts = {
    ...{ original: await source.traits, here: report.traits, taken: report.facts.taken },
    ...(edge ? { edge: edge.pinned } : {}),
  };
  const differences = reproductionDifferences(reproduction, facts);
  const moved = context.terminal.bytesMoved;
  return { reproduction, folder, differences, result, moved, ...(source.bundle ? { bundle: source.bundle } : {}) };
}
