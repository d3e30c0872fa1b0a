import { LockageError } from '../errors.ts';
import { blockOf, withBlock, withoutBlock, type Block } from '../model/block.ts';
import type { Release } from '../model/release.ts';
import { releaseNamed } from '../model/releases.ts';
import { currentRevision } from '../model/ledger.ts';
import type { Context } from './ports.ts';

/** The release that is to enter no environment. */
export interface BlockRequest {
  readonly version: string;
  readonly reason: string;
}

/** The outcome of a block. */
export interface BlockResult {
  readonly outcome: 'blocked' | 'blocked already';
  readonly block: Block;
  /** environments of this configuration that run it, and go on */
  readonly runs: readonly string[];
}

/**
 * Keeps a release out of every environment, and lets none go back to it. What runs is left alone. Throws LockageError:
 * refused, or what kept it from being recorded.
 */
export async function block(context: Context, { version, reason }: BlockRequest): Promise<BlockResult> {
  if (reason.trim() === '') {
    throw new LockageError('a block needs a reason', { hint: `Run \`lockage block ${version} --reason TEXT\`.` });
  }
  const release = releaseNamed(await context.records.releases(), version);
  const asked: Block = {
    version,
    digest: release.digest,
    since: new Date(context.now()).toISOString(),
    actor: context.actor,
    reason: reason.trim(),
  };
  let added = false;
  // It is asked again each time when somebody else was faster.
  const add = (blocks: readonly Block[]) => {
    const changed = withBlock(blocks, asked);
    added = changed !== blocks;
    return changed;
  };
  const blocks = await context.records.changeBlocks(add, `block ${version}`);
  const found = blockOf(blocks, release);
  if (!found) throw new LockageError(`the block of ${version} was not recorded`);
  return { outcome: added ? 'blocked' : 'blocked already', block: found, runs: await runningIn(context, release) };
}

/** The release that may be promoted again. */
export interface UnblockRequest {
  readonly version: string;
}

/** The outcome of an unblock. */
export interface UnblockResult {
  readonly outcome: 'unblocked' | 'not blocked';
  /** the one that was lifted */
  readonly block?: Block;
}

/** Lifts the block of a release. Throws LockageError: refused, or what kept it from being recorded. */
export async function unblock(context: Context, { version }: UnblockRequest): Promise<UnblockResult> {
  const release = releaseNamed(await context.records.releases(), version);
  let lifted: Block | undefined;
  const lift = (blocks: readonly Block[]) => {
    lifted = blockOf(blocks, release);
    return withoutBlock(blocks, release);
  };
  await context.records.changeBlocks(lift, `unblock ${version}`);
  return lifted ? { outcome: 'unblocked', block: lifted } : { outcome: 'not blocked' };
}

async function runningIn({ project, records }: Context, { digest }: Release): Promise<string[]> {
  const found = project.environments.map(async ({ name }) => {
    const { ledger } = await records.environment(name);
    return currentRevision(ledger)?.release.digest === digest ? [name] : [];
  });
  return (await Promise.all(found)).flat();
}
