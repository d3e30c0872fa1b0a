import type { GitHub } from '../../pipelines/model/integrations.ts';
import {
  brokenGlassOf,
  deploying,
  isThere,
  type OperationEnd,
  type OperationFacts,
} from '../../pipelines/operations/observers.ts';
import { gateNames } from '../../pipelines/policy/break-glass.ts';
import { printable } from '../../pipelines/text/printable.ts';
import { shortened } from '../../pipelines/text/shortened.ts';
import type { GitHubClient } from './client.ts';

/*
 * What runs where, as GitHub's pages show it: a deployment for each change of an environment, with the state that it is in,
 * and a status at the commit for whether its release may be there.
 */

/** The command that tells GitHub. */
export interface DeploymentTeller {
  readonly settings: Pick<GitHub, 'urls'>;
  readonly app: string;
  /** the page with the log of this command, where there is one */
  readonly logUrl?: string;
  /** no environment comes after these */
  readonly lastEnvironments: ReadonlySet<string>;
}

type DeploymentState = 'in_progress' | 'success' | 'failure' | 'error';
type CommitState = 'success' | 'failure' | 'error' | 'pending';

/** Those after which nothing serves. */
const ending: ReadonlySet<string> = new Set(['destroy', 'archive']);
/** Characters that GitHub takes in a description. */
const longestDescription = 140;
/** Deployments of an environment that are looked through, newest first, for those that show as active still. */
const mostLookedAt = 10;

/** Shows that a release is on its way into an environment. Returns the deployment's number; undefined for a release without a commit. */
export async function beginDeployment(
  client: GitHubClient,
  facts: OperationFacts,
  teller: DeploymentTeller,
): Promise<number | undefined> {
  const { release, environment } = facts;
  if (release?.commit === undefined || environment === undefined) return undefined;
  const { octokit, repo } = client;
  const { data } = await octokit.rest.repos.createDeployment({
    ...repo,
    ref: release.commit,
    environment,
    task: facts.operation === 'rollback' ? 'rollback' : 'deploy',
    auto_merge: false,
    // What has to hold before is decided by the gates, also where GitHub is away.
    required_contexts: [],
    production_environment: teller.lastEnvironments.has(environment),
    description: described(`${teller.app} ${release.version}`),
    payload: { app: teller.app, version: release.version, digest: release.digest },
  });
  // It may answer that it has merged a branch first, which it was told not to.
  const { id } = data as { readonly id?: unknown };
  if (typeof id !== 'number') throw new Error('it made no deployment');
  await setState(client, id, 'in_progress', facts, teller);
  return id;
}

/**
 * Shows how it ended: the deployment that has begun, or one of its own for what began without, as a rollback does. Where it is
 * there now, earlier ones of the environment show as inactive.
 */
export async function endDeployment(
  client: GitHubClient,
  end: OperationEnd,
  teller: DeploymentTeller,
  begun: number | undefined,
): Promise<void> {
  const { environment, outcome } = end;
  if (environment === undefined || end.isTrial || outcome === 'unchanged') return;
  if (ending.has(end.operation) && outcome === 'done') return deactivate(client, environment, undefined);
  if (!deploying.has(end.operation)) return;
  const serves = isThere(end);
  const hasNone = begun === undefined && serves && end.revision !== undefined;
  const id = begun ?? (hasNone ? await beginDeployment(client, end, teller) : undefined);
  if (id !== undefined) await setState(client, id, serves ? 'success' : stateOf(outcome), end, teller);
  await setCommitStatus(client, end, teller);
  if (id !== undefined && serves) await deactivate(client, environment, id);
}

function stateOf(outcome: OperationEnd['outcome']): DeploymentState {
  return outcome === 'rolled back' || outcome === 'interrupted' ? 'failure' : 'error';
}

async function setState(
  { octokit, repo }: GitHubClient,
  deployment_id: number,
  state: DeploymentState,
  { environment = '', ...facts }: OperationFacts & Partial<OperationEnd>,
  { settings, logUrl }: DeploymentTeller,
): Promise<void> {
  const url = settings.urls[environment];
  await octokit.rest.repos.createDeploymentStatus({
    ...repo,
    deployment_id,
    state,
    description: described(loud(facts, sentenceOf(state, facts))),
    // It would leave production environments out.
    auto_inactive: false,
    ...(logUrl === undefined ? {} : { log_url: logUrl }),
    ...(url === undefined ? {} : { environment_url: url }),
  });
}

function sentenceOf(state: DeploymentState, { release, revision, message }: Partial<OperationEnd>): string {
  if (state === 'in_progress') return `${release?.version} is on its way`;
  return message ?? `${release?.version} serves, revision ${revision}`;
}

/** Says first which gates somebody passed although they were not met, and last why. */
function loud(facts: OperationFacts, sentence: string): string {
  const glass = brokenGlassOf(facts);
  return glass ? `BROKE THE GLASS of ${gateNames(glass.gates)}: ${sentence} (${glass.reason})` : sentence;
}

/** A refusal is no fault of the commit: its release may be let in later. */
async function setCommitStatus(
  { octokit, repo }: GitHubClient,
  end: OperationEnd,
  { logUrl }: DeploymentTeller,
): Promise<void> {
  const { release, environment, outcome, message, details = [] } = end;
  if (release?.commit === undefined || outcome === 'locked') return;
  const states: Partial<Record<OperationEnd['outcome'], CommitState>> = {
    refused: 'pending',
    'rolled back': 'failure',
  };
  const serves = isThere(end);
  const said = serves ? `${release.version} serves in ${environment}` : [message, ...details].join('; ');
  await octokit.rest.repos.createCommitStatus({
    ...repo,
    sha: release.commit,
    state: serves ? 'success' : (states[outcome] ?? 'error'),
    context: `lockage/${environment}`,
    description: described(loud(end, said)),
    ...(logUrl === undefined ? {} : { target_url: logUrl }),
  });
}

/** Shows all deployments of an environment but one as inactive. */
async function deactivate(
  { octokit, repo }: GitHubClient,
  environment: string,
  but: number | undefined,
): Promise<void> {
  const { data } = await octokit.rest.repos.listDeployments({ ...repo, environment, per_page: mostLookedAt });
  for (const { id } of data.filter((deployment) => deployment.id !== but)) {
    const { data: states } = await octokit.rest.repos.listDeploymentStatuses({
      ...repo,
      deployment_id: id,
      per_page: 1,
    });
    const [latest] = states;
    if (latest?.state !== 'success' && latest?.state !== 'in_progress') continue;
    await octokit.rest.repos.createDeploymentStatus({
      ...repo,
      deployment_id: id,
      state: 'inactive',
      auto_inactive: false,
    });
  }
}

function described(text: string): string {
  return shortened(printable(text), longestDescription);
}
