import { join } from 'node:path';
import { askEngine, engineAtHand } from '../../../infra/hosts/engine-at-hand.ts';
import { refuseLeftovers } from '../../../infra/hosts/leftovers.ts';
import { Connections } from '../../../infra/docker/connections.ts';
import { InterruptedError, isRefusal, LockageError, RolledBackError } from '../../../pipelines/errors.ts';
import type { Reproduction } from '../../../pipelines/model/reproduction.ts';
import { perform, type ResultOf } from '../../../pipelines/operations/perform.ts';
import {
  planReproduction,
  portsInQuestion,
  reproducedRelease,
  reproductionName,
} from '../../../pipelines/planning/plan-reproduction.ts';
import { reproductionDifferences } from '../../../pipelines/planning/reproduction-differences.ts';
import {
  findReproduction,
  removeReproduction,
  reproductionFolder,
  reproductionsRoot,
  writeReproduction,
  type FoundReproduction,
} from '../../project/reproductions.ts';
import { openStateFolder, stateFolderName } from '../../project/state-folder.ts';
import { Redactor } from '../../tools/redactor.ts';
import { openReproduction, type CommandContext } from '../open-context.ts';
import { waitOf, type Flags } from '../options.ts';
import { chooseSecrets } from '../reproduction-secrets.ts';
import { sourceOf, type ReproductionSource } from '../reproduction-source.ts';
import { runIn } from '../run-command.ts';
import { ConsoleTerminal } from '../terminal.ts';
import { reproductionJson, reproductionLines, type Reproduced } from '../views/reproduction.ts';
import { countsOf } from './scale.ts';

interface ReproduceFlags extends Flags {
  readonly as?: string;
  /** a bundle */
  readonly from?: string;
  /** a file with values */
  readonly secrets?: string;
  readonly scale?: readonly string[];
}

/** Runs `lockage reproduce`. */
export async function reproduceCommand(
  text: string | undefined,
  flags: ReproduceFlags,
  signal: AbortSignal,
): Promise<void> {
  const source = await sourceOf(text, flags.from, signal);
  try {
    const prepared = await prepare(source, flags, signal);
    await runIn(prepared.context, async (context) => {
      // Pulumi's libraries load while the engine is asked.
      if (!flags.plan) void context.loadPulumi().catch(() => undefined);
      const result = await carriedOut(context, prepared, flags);
      const shown = await shownOf(source, prepared, result);
      context.terminal.result(reproductionJson(shown), reproductionLines(shown));
    });
  } finally {
    await source.close();
  }
}

/** A reproduction that was decided and written down, and what takes that back. */
interface Prepared {
  readonly context: CommandContext;
  readonly found: FoundReproduction;
  readonly report: Awaited<ReturnType<typeof askEngine>>;
  readonly isNew: boolean;
  undo(): Promise<void>;
}

/** Decides how it runs here, and writes that down. Nothing of it is on the engine by then. */
async function prepare(source: ReproductionSource, flags: ReproduceFlags, signal: AbortSignal): Promise<Prepared> {
  const { recorded: of, bundle } = source;
  const { json = false, yes = false } = flags;
  const cwd = process.cwd();
  const name = reproductionName(of.environment, flags.as);
  source.refuseName(name);
  const scale = countsOf(flags.scale ?? []);
  const root = await reproductionsRoot(cwd);
  const folder = reproductionFolder(root, name);
  const before = (await findReproduction(cwd, name))?.reproduction;
  const host = await engineAtHand(process.env);
  const report = await asked(root, { of, host, name, isNew: before === undefined });
  const terminal = new ConsoleTerminal({ json, yes: yes || flags.plan === true, redactor: new Redactor(), signal });
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
    ...(before ? { before } : {}),
  };
  // What cannot run here is refused before anybody types a secret.
  const draft = planReproduction(inputs);
  for (const line of warnings(draft, report)) terminal.note(line);
  const secrets = await chooseSecrets({ of, folder, before, file: flags.secrets, terminal });
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
    return { context, found, report, isNew: before === undefined, undo };
  } catch (error) {
    await undo();
    throw error;
  }
}

interface Asking extends Pick<Reproduction, 'of' | 'host' | 'name'> {
  readonly isNew: boolean;
}

/** Asks the engine what it is, and what it has. Throws LockageError where it has something of that name that nobody here made. */
async function asked(root: string, { of, host, name, isNew }: Asking) {
  const connections = new Connections({ stateDir: join(root, stateFolderName) });
  try {
    const engine = await connections.engine(host);
    const place = { app: of.app, environment: name };
    if (isNew) await refuseLeftovers(engine, place);
    return await askEngine(engine, host, place, portsInQuestion(of));
  } finally {
    await connections.close();
  }
}

/** What a person should know before they say yes. */
function warnings({ of, ports, emulates }: Reproduction, { facts }: Prepared['report']): string[] {
  return [
    ...(emulates === undefined
      ? []
      : [`the images are for ${emulates}, and this engine is ${facts.platform}: it emulates them, which is slower`]),
    ...Object.entries(ports)
      .filter(([original, port]) => Number(original) !== port)
      .map(([original, port]) => `port ${original} of ${of.environment} is ${port} here`),
  ];
}

async function carriedOut(
  context: CommandContext,
  prepared: Prepared,
  flags: ReproduceFlags,
): Promise<ResultOf<'reproduce'>> {
  const { found, undo } = prepared;
  const { name } = found.reproduction;
  const request = {
    environment: name,
    release: reproducedRelease(found.reproduction),
    ...(flags.plan ? { planOnly: true } : {}),
  };
  try {
    const result = await perform(context, 'reproduce', request, waitOf(flags));
    if (result.outcome === 'planned') await undo();
    return result;
  } catch (error) {
    if (await isAsBefore(context, prepared, error)) await undo();
    throw error;
  }
}

/** Returns whether what was there before is what there is; where it is new, that is nothing. */
async function isAsBefore(context: CommandContext, { found, isNew }: Prepared, error: unknown): Promise<boolean> {
  const wentBack = isRefusal(error) || error instanceof InterruptedError || error instanceof RolledBackError;
  if (!wentBack || !isNew) return wentBack;
  const { host, name, of } = found.reproduction;
  const looked = context.connections.engine(host).then((engine) => {
    return refuseLeftovers(engine, { app: of.app, environment: name });
  });
  return looked.then(
    () => true,
    (refusal: unknown) => {
      if (refusal instanceof LockageError) return false;
      throw refusal;
    },
  );
}

async function shownOf(
  source: ReproductionSource,
  { found, report }: Prepared,
  result: ResultOf<'reproduce'>,
): Promise<Reproduced> {
  const { reproduction, folder } = found;
  const facts = { original: await source.traits, here: report.traits, taken: report.facts.taken };
  const differences = reproductionDifferences(reproduction, facts);
  return { reproduction, folder, differences, result, ...(source.bundle ? { bundle: source.bundle } : {}) };
}
