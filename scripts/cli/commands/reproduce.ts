import { engineAtHand } from '../../../infra/hosts/engine-at-hand.ts';
import { InterruptedError, isRefusal, RolledBackError } from '../../../pipelines/errors.ts';
import { perform, type ResultOf } from '../../../pipelines/operations/perform.ts';
import { reproducedRelease, reproductionName } from '../../../pipelines/planning/plan-reproduction.ts';
import { withReproductionLock } from '../../project/reproduction-lock.ts';
import { findReproduction, reproductionsRoot } from '../../project/reproductions.ts';
import type { CommandContext } from '../open-context.ts';
import { waitOf, type Flags } from '../options.ts';
import { isNothingThere, prepareReproduction, reproducedOf, type Prepared } from '../prepare-reproduction.ts';
import { restoreData } from '../reproduction-data.ts';
import { sourceOf, type ReproductionSource } from '../reproduction-source.ts';
import { runIn } from '../run-command.ts';
import { reproductionJson, reproductionLines } from '../views/reproduction.ts';
import { countsOf } from './scale.ts';

interface ReproduceFlags extends Flags {
  readonly as?: string;
  /** a bundle */
  readonly from?: string;
  /** a file with values */
  readonly secrets?: string;
  readonly scale?: readonly string[];
  /** of accessories: files or images */
  readonly data?: readonly string[];
}

/** Runs `lockage reproduce`. */
export async function reproduceCommand(
  text: string | undefined,
  flags: ReproduceFlags,
  signal: AbortSignal,
): Promise<void> {
  const source = await sourceOf(text, flags.from, signal);
  try {
    const name = reproductionName(source.recorded.environment, flags.as);
    source.refuseName(name);
    const root = await reproductionsRoot(process.cwd());
    // Two at once would give it two sets of secrets, and its data twice.
    const work = () => make(source, { root, name, flags }, signal);
    await withReproductionLock(root, name, work, { ...waitOf(flags), signal });
  } finally {
    await source.close();
  }
}

interface Asked {
  /** the folder that it belongs to */
  readonly root: string;
  readonly name: string;
  readonly flags: ReproduceFlags;
}

async function make(source: ReproductionSource, asked: Asked, signal: AbortSignal): Promise<void> {
  const { flags } = asked;
  const prepared = await prepare(source, asked, signal);
  await runIn(prepared.context, async (context) => {
    // Pulumi's libraries load while the engine is asked.
    if (!flags.plan) void context.loadPulumi().catch(() => undefined);
    const result = await carriedOut(context, prepared, flags);
    const shown = await reproducedOf(source, prepared, result);
    context.terminal.result(reproductionJson(shown), reproductionLines(shown));
  });
}

async function prepare(
  source: ReproductionSource,
  { root, name, flags }: Asked,
  signal: AbortSignal,
): Promise<Prepared> {
  const scale = countsOf(flags.scale ?? []);
  const { secrets, data = [] } = flags;
  const before = (await findReproduction(process.cwd(), name))?.reproduction;
  const host = await engineAtHand(process.env);
  return prepareReproduction({ source, root, name, host, scale, before, secrets, data }, flags, signal);
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
    fill: () => restoreData(context, found),
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
async function isAsBefore(context: CommandContext, { found, before }: Prepared, error: unknown): Promise<boolean> {
  const wentBack = isRefusal(error) || error instanceof InterruptedError || error instanceof RolledBackError;
  if (!wentBack || before) return wentBack;
  return isNothingThere(context, found.reproduction);
}
