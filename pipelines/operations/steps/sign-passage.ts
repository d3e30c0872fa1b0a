import { messageOf } from '../../errors.ts';
import type { Environment } from '../../model/environment.ts';
import { signBundle } from '../../model/evidence/bundle.ts';
import { configurationHash } from '../../model/evidence/policy.ts';
import { statementText, type EvidenceKind, type Predicate } from '../../model/evidence/statement.ts';
import type { Release } from '../../model/release.ts';
import { keyOfId, keyProblem } from '../../model/trusted-key.ts';
import { readBundles, statementProblem } from '../../policy/evidence/statements.ts';
import type { Context } from '../ports.ts';
import type { RolloutResult } from './rollout.ts';

/** A release that an environment serves, after all that was checked on its way. */
export interface Passage {
  readonly environment: Environment;
  readonly release: Release;
  readonly result: RolloutResult;
}

/**
 * Signs that a release ran well through an environment, and who promoted it, as far as the key at hand may, and nothing where
 * the project has no keys. The promotion is done and recorded by then: what cannot be signed is said, and made up for by the
 * same command.
 */
export async function signPassage(context: Context, passage: Passage): Promise<void> {
  const { project, terminal } = context;
  if (!project.keys) return;
  try {
    await sign(context, passage);
  } catch (error) {
    const { release, environment } = passage;
    terminal.note(`that ${release.version} ran well in ${environment.name} is not signed: ${messageOf(error)}`);
  }
}

async function sign(context: Context, { environment, release, result }: Passage): Promise<void> {
  const { project, evidence } = context;
  const signer = await evidence.signer();
  const key = signer && keyOfId(project.keys ?? [], signer.keyId);
  if (!key) return;
  const now = context.now();
  const at = { environment: environment.name, at: now };
  const number = result.revision?.number ?? result.plan.from?.number;
  const facts = {
    app: project.app,
    environment: environment.name,
    version: release.version,
    revision: number,
    configuration: configurationHash(environment, project.keys),
    at: new Date(now).toISOString(),
  };
  const wanted: readonly (readonly [EvidenceKind, Predicate])[] = [
    ['verification', { ...facts, result: 'passed', checked: checkedIn(environment, result) }],
    ['promotion', { ...facts, actor: context.actor, ...(release.sequence ? { sequence: release.sequence } : {}) }],
  ];
  const may = wanted.filter(([kind]) => keyProblem(key, { kind, ...at }) === undefined);
  const missing = result.outcome === 'promoted' ? may : await unsigned(context, may, { environment, release });
  if (missing.length === 0) return;
  const made = [];
  for (const [kind, predicate] of missing) {
    made.push({ kind, text: await signBundle(signer, statementText(release, kind, predicate)) });
  }
  context.terminal.step('sign', `${missing.map(([kind]) => kind).join(', ')} as ${signer.name}`);
  const { problem } = await evidence.add(release, made, `sign ${release.version} in ${environment.name}`);
  if (problem !== undefined) context.terminal.note(`recorded, and not beside the image: ${problem}`);
}

/** Returns what nobody whose key counts has signed yet of what runs there already. */
async function unsigned<Wanted extends readonly [EvidenceKind, Predicate]>(
  { project, evidence, now }: Context,
  may: readonly Wanted[],
  { environment, release }: Pick<Passage, 'environment' | 'release'>,
): Promise<Wanted[]> {
  const { signed } = readBundles((await evidence.of(release)).bundles, release.digest, project.keys ?? []);
  const counts = signed.filter((each) => {
    const isHere = each.predicate['environment'] === environment.name && each.predicate['version'] === release.version;
    return isHere && statementProblem(each, { environment: environment.name, now: now() }) === undefined;
  });
  return may.filter(([kind]) => !counts.some((each) => each.kind === kind));
}

/** What held on the way: the gates, the health checks of each role, and how long it was watched. */
function checkedIn({ roles, watch, migration }: Environment, { plan: { gates = [] } }: RolloutResult): Predicate {
  return {
    gates: gates.filter(({ met }) => met).map(({ gate, from }) => (from === undefined ? gate : `${gate} ${from}`)),
    health: Object.fromEntries(roles.map(({ name, health }) => [name, { ...health.check, healthy: health.healthy }])),
    watched: watch,
    ...(migration ? { migration: true } : {}),
  };
}
