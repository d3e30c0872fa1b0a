import { signBundle } from '../../model/evidence/bundle.ts';
import { billOf } from '../../model/evidence/bill-of-materials.ts';
import { statementText, type Predicate } from '../../model/evidence/statement.ts';
import type { Project } from '../../model/environment.ts';
import type { Release } from '../../model/release.ts';
import type { Signer } from '../../model/signer.ts';
import { keyOfId, keyProblem, type TrustedKey } from '../../model/trusted-key.ts';
import { builderId } from '../../policy/evidence/evidence-gates.ts';
import { readBundles } from '../../policy/evidence/statements.ts';
import type { Context } from '../ports.ts';

/** Returns a release with its number in the order of all: later ones have higher numbers. */
export function withSequence(release: Release, releases: readonly Release[]): Release {
  const known = releases.flatMap(({ sequence }) => sequence ?? []);
  return { ...release, sequence: Math.max(releases.length, ...known) + 1 };
}

/**
 * Signs how an image was built, what is in it and what it was released as, as far as the key may and nobody with it has done so
 * before. An image that was built elsewhere gets neither provenance nor bill: nobody here knows it. Throws LockageError.
 */
export async function signRelease(context: Context, release: Release, signer: Signer): Promise<void> {
  const { project, evidence } = context;
  const at = new Date(context.now()).toISOString();
  const key = keyOfId(project.keys ?? [], signer.keyId);
  if (!key) return;
  const may = kindsOf(release).filter((kind) => keyProblem(key, { kind, at: context.now() }) === undefined);
  if (may.length === 0) return;
  const { bundles } = await evidence.of(release);
  const { signed } = readBundles(bundles, release.digest, [key]);
  const missing = may.filter(
    (kind) =>
      !signed.some((each) => each.kind === kind && (kind === 'sbom' || versionIn(each.predicate) === release.version)),
  );
  if (missing.length === 0) return;
  context.terminal.step('sign', `${missing.join(', ')} as ${signer.name}`);
  const made = [];
  for (const kind of missing) {
    const predicate = await predicateOf(context, kind, { release, key, at });
    if (predicate) made.push({ kind, text: await signBundle(signer, statementText(release, kind, predicate)) });
  }
  if (made.length === 0) return;
  const { problem } = await evidence.add(release, made, `sign ${release.version}`);
  if (problem !== undefined) context.terminal.note(`recorded, and not beside the image: ${problem}`);
}

type ReleaseEvidence = 'provenance' | 'sbom' | 'release';

function kindsOf({ adopted }: Release): readonly ReleaseEvidence[] {
  return adopted ? ['release'] : ['provenance', 'sbom', 'release'];
}

/** Returns what is said of a release; undefined where it is not known here any more. */
async function predicateOf(
  { project, builder }: Pick<Context, 'project' | 'builder'>,
  kind: ReleaseEvidence,
  { release, key, at }: { readonly release: Release; readonly key: TrustedKey; readonly at: string },
): Promise<Predicate | undefined> {
  if (kind === 'provenance') return provenance(project, release, key, at);
  if (kind === 'release') return releasePredicate(project, release, at);
  const found = await builder.packages(release);
  return found && billOf(release, found, at);
}

/** Returns the version that provenance or a release names. */
function versionIn(predicate: Predicate): unknown {
  const parameters = (predicate['buildDefinition'] as Predicate | undefined)?.['externalParameters'];
  return predicate['version'] ?? (parameters as Predicate | undefined)?.['version'];
}

/** SLSA provenance v1: what was built, from what, by whom. */
function provenance(project: Project, release: Release, key: TrustedKey, at: string): Predicate {
  const { context, dockerfile, args, platform, platforms } = project.build;
  return {
    buildDefinition: {
      buildType: 'urn:lockage:build:v1',
      externalParameters: {
        app: project.app,
        version: release.version,
        context,
        dockerfile,
        args,
        ...(platform === undefined ? {} : { platform }),
        ...(platforms ? { platforms } : {}),
        ...(release.dirty ? { dirty: true } : {}),
      },
      internalParameters: {},
      resolvedDependencies:
        release.commit === undefined ? [] : [{ name: 'source', digest: { gitCommit: release.commit } }],
    },
    runDetails: {
      builder: { id: builderId(key) },
      metadata: { invocationId: `${release.builder} ${release.createdAt}`, finishedOn: at },
    },
  };
}

function releasePredicate({ app }: Project, release: Release, at: string): Predicate {
  const { version, sequence = 1, repository, digest, platform, platforms, commit, builder, createdAt } = release;
  return {
    app,
    version,
    sequence,
    repository,
    digest,
    platform,
    ...(platforms ? { platforms } : {}),
    ...(commit === undefined ? {} : { commit }),
    builder,
    createdAt,
    at,
  };
}
