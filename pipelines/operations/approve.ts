import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import { signBundle } from '../model/evidence/bundle.ts';
import { configurationHash } from '../model/evidence/policy.ts';
import type { ApprovalRule } from '../model/evidence/signature-policy.ts';
import { statementText } from '../model/evidence/statement.ts';
import { recordedPolicy } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { releaseNamed } from '../model/releases.ts';
import type { Signer } from '../model/signer.ts';
import { keyOfId, keyProblem } from '../model/trusted-key.ts';
import type { Context } from './ports.ts';

/** What a person says about a release before an environment. */
export interface ApproveRequest {
  readonly version: string;
  readonly environment: string;
  readonly decision: 'approved' | 'rejected';
  /** required to reject */
  readonly reason?: string;
  /** what is authorised is that an older release comes in again */
  readonly older?: boolean;
}

/** The outcome, as it is signed. */
export interface ApproveResult {
  readonly outcome: 'approved' | 'rejected' | 'authorised';
  readonly by: string;
  readonly keyId: string;
  readonly version: string;
  readonly digest: string;
  readonly environment: string;
  readonly configuration: string;
  /** ISO 8601 */
  readonly expires: string;
}

/** How long an older release may come in after it was authorised: ms. */
const authorisedFor = 24 * 3_600_000;

/**
 * Signs that a person wants a release in an environment, or does not: this image, this environment, as it is configured now,
 * for a time. The key tells who it is. Throws LockageError when nobody would count it.
 */
export async function approve(context: Context, request: ApproveRequest): Promise<ApproveResult> {
  const { project, records, evidence } = context;
  const { version, decision, older = false } = request;
  const environment = environmentNamed(project, request.environment);
  const reason = request.reason && context.secrets.mask(request.reason.trim());
  if (decision === 'rejected' && !reason) {
    throw new LockageError('a rejection needs a reason', {
      hint: `Run \`lockage reject ${version} --to ${environment.name} --reason TEXT\`.`,
    });
  }
  const [releases, record] = await Promise.all([records.releases(), records.environment(environment.name)]);
  const release = releaseNamed(releases, version);
  const rule = environment.approvals ?? recordedPolicy(record.ledger)?.policy.approvals;
  const kind = older ? 'rollback' : 'approval';
  if (!older) refuseUnasked(environment, rule);
  const signer = await personWith(context, environment, kind);
  if (!older && rule?.from && !rule.from.includes(signer.name)) {
    throw new LockageError(`${signer.name} does not approve for ${environment.name}`, {
      details: [`these do: ${rule.from.join(', ')}`],
    });
  }
  const now = context.now();
  const expires = new Date(now + (older ? authorisedFor : (rule?.within ?? authorisedFor))).toISOString();
  const configuration = configurationHash(environment, project.keys);
  const predicate = {
    app: project.app,
    environment: environment.name,
    version,
    ...(older ? {} : { configuration, decision }),
    ...(reason ? { reason } : {}),
    at: new Date(now).toISOString(),
    expires,
  };
  context.terminal.step('sign', `${kind} as ${signer.name}`);
  const text = await signBundle(signer, statementText(release, kind, predicate));
  const { problem } = await evidence.add(release, [{ kind, text }], `${older ? 'authorise' : decision} ${version}`);
  if (problem !== undefined) context.terminal.note(`recorded, and not beside the image: ${problem}`);
  const outcome = older ? 'authorised' : decision;
  const { name: by, keyId } = signer;
  return { outcome, by, keyId, version, digest: release.digest, environment: environment.name, configuration, expires };
}

function refuseUnasked({ name }: Environment, rule: ApprovalRule | undefined): void {
  if (rule) return;
  throw new LockageError(`${name} asks for no approvals`, {
    hint: `\`lockage why VERSION --to ${name}\` says what it asks for; \`lockage block VERSION --reason TEXT\` keeps a release out of all.`,
  });
}

/** Returns who signs here. Throws LockageError when that is nobody, or nobody whose word counts there. */
async function personWith(
  { project, evidence, now }: Context,
  { name }: Environment,
  kind: 'approval' | 'rollback',
): Promise<Signer> {
  const signer = await evidence.signer();
  const key = signer && keyOfId(project.keys ?? [], signer.keyId);
  if (!key) {
    throw new LockageError('nobody can sign here: none of the project’s keys is at hand', {
      hint: 'Look at them with `lockage key ls`, and make your own with `lockage key new NAME`.',
    });
  }
  const problem = keyProblem(key, { kind, environment: name, at: now() });
  if (problem === undefined) return signer;
  throw new LockageError(problem, { hint: 'Look with `lockage key ls` which key may, and name it in LOCKAGE_KEY.' });
}
