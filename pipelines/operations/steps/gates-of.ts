import { isRefusal, LockageError } from '../../errors.ts';
import { withoutCordoned, withoutPending } from '../../model/cordons.ts';
import type { Environment } from '../../model/environment.ts';
import type { Gate } from '../../model/gate.ts';
import { recordedPolicy, type EnvironmentRecord } from '../../model/ledger.ts';
import type { Release } from '../../model/release.ts';
import { passByGlass, unbreakableText } from '../../policy/break-glass.ts';
import { judgeGates, refuseUnmet, timeCounts, type ImageAnswer } from '../../policy/gates.ts';
import { jobsBefore } from '../../policy/verification.ts';
import type { Context } from '../ports.ts';
import { auditGates } from './audit-facts.ts';
import { signaturesFor } from './signatures.ts';

/** A release before an environment. */
export interface Entrance {
  readonly release: Release;
  /** with its cordoned hosts */
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  /** absent: no registry was asked */
  readonly image?: ImageAnswer;
  /** see `GateInputs` */
  readonly forceSchema?: string | undefined;
}

type Asked = Pick<Context, 'records' | 'hosts' | 'project' | 'evidence' | 'approvals' | 'now' | 'tell'>;

/** Returns all gates before an environment, from what is recorded now. Throws LockageError when that cannot be read. */
export async function gatesOf(context: Asked, entrance: Entrance): Promise<readonly Gate[]> {
  const { records, hosts, project } = context;
  const { environment, record } = entrance;
  const active = withoutPending(withoutCordoned(environment, record.ledger));
  const [upstream, blocks, clocks, signatures] = await Promise.all([
    Promise.all(environment.after.map(async (name) => [name, await records.environment(name)] as const)),
    records.blocks(),
    timeCounts(project, environment) ? hosts.clocks(active) : undefined,
    signaturesFor(context, entrance),
  ]);
  return judgeGates({
    ...entrance,
    upstream: Object.fromEntries(upstream),
    jobs: jobsBefore(project, environment),
    blocks,
    ...(clocks ? { clocks } : {}),
    ...(signatures ? { signatures } : {}),
    now: context.now(),
  });
}

/**
 * Returns all gates, which are met, or passed for a reason that a person gives. Throws LockageError with every one that is
 * neither.
 */
export async function passGates(context: Asked, entrance: Entrance, glass?: string): Promise<readonly Gate[]> {
  const { environment, release } = entrance;
  const judged = await gatesOf(context, entrance);
  const recorded = recordedPolicy(entrance.record.ledger)?.policy;
  const gates = glass === undefined ? judged : passByGlass(environment, judged, glass, recorded);
  const more = glass === undefined ? [] : unbreakableText(environment, gates, recorded);
  context.tell?.({ release: { version: release.version, digest: release.digest }, gates: auditGates(gates) });
  refuseUnmet(`release ${release.version}`, environment.name, gates, more);
  return gates;
}

/** Asks the registry whether it has a release as it was made. What it refuses closes a gate beside others. */
export async function askForImage({ registry }: Pick<Context, 'registry'>, release: Release): Promise<ImageAnswer> {
  try {
    await registry.verify(release);
    return {};
  } catch (error) {
    if (!(error instanceof LockageError) || !isRefusal(error)) throw error;
    const { message, details, hint } = error;
    return { problem: [message, ...details].join('; '), ...(hint === undefined ? {} : { remedy: hint }) };
  }
}
