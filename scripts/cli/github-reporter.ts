import type { ExternalApprovals } from '../../pipelines/operations/ports/approvals.ts';
import { openGitHub, type GitHubClient } from '../../infra/github/client.ts';
import { beginDeployment, endDeployment, type DeploymentTeller } from '../../infra/github/deployments.ts';
import { publishRelease } from '../../infra/github/releases.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import type { GitHub } from '../../pipelines/model/integrations.ts';
import type { Release } from '../../pipelines/model/release.ts';
import type { OperationEnd, OperationFacts } from '../../pipelines/operations/observers.ts';
import { readOneSecret } from '../project/one-secret.ts';
import type { Redactor } from '../tools/redactor.ts';

interface Dependencies {
  readonly settings: GitHub;
  readonly project: Project;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly redactor: Redactor;
  readonly notes: (release: Release) => Promise<string>;
}

/** Milliseconds for all that GitHub is told at once: it wants a second between two things that it is told. */
const deadline = 15_000;

/** Tells GitHub of the operations of one command. Its methods throw LockageError, in one line. */
export interface GitHubReporter {
  begin(facts: OperationFacts): Promise<void>;
  end(end: OperationEnd): Promise<void>;
}

/** Opens the connection to GitHub; asks nothing yet. Throws LockageError where there is no token. */
export async function openReporter(dependencies: Dependencies): Promise<GitHubReporter> {
  const { settings, project, env, notes } = dependencies;
  const client = await openClient(dependencies);
  const logUrl = logUrlOf(env);
  const before = new Set(project.environments.flatMap(({ after }) => after));
  const teller: DeploymentTeller = {
    settings,
    app: project.app,
    lastEnvironments: new Set(project.environments.flatMap(({ name }) => (before.has(name) ? [] : [name]))),
    ...(logUrl === undefined ? {} : { logUrl }),
  };
  let begun: Promise<number | undefined> = Promise.resolve(undefined);
  return {
    async begin(facts) {
      begun = client.within(() => beginDeployment(client, facts, teller));
      await begun;
    },
    async end(end) {
      // The next operation may begin before GitHub has answered to this one. What went wrong at the beginning was said then.
      const own = begun;
      begun = Promise.resolve(undefined);
      const id = await own.catch(() => undefined);
      const { release } = end;
      if (end.operation === 'release' && end.outcome === 'done' && release && settings.releases) {
        const text = await notes(release);
        await client.within(() => publishRelease(client, release, text));
      }
      await client.within(() => endDeployment(client, end, teller, id));
    },
  };
}

/** Returns the approvals of a repository, which is asked only when they are, and no longer than `signal` allows. */
export function gitHubApprovals(
  dependencies: Omit<Dependencies, 'notes'> & { readonly signal: AbortSignal },
): ExternalApprovals {
  return {
    async find(question) {
      const { GitHubApprovals } = await import('../../infra/github/approvals.ts');
      const { settings, env, signal } = dependencies;
      return new GitHubApprovals(await openClient(dependencies, signal), settings, env).find(question);
    },
  };
}

/**
 * Opens the connection with the token of the configuration, or that of a workflow. Without a `signal` an interruption is told,
 * too. Throws LockageError.
 */
async function openClient(
  { settings, project, env, redactor }: Omit<Dependencies, 'notes'>,
  signal?: AbortSignal,
): Promise<GitHubClient> {
  const source = settings.token ?? { env: 'GITHUB_TOKEN' };
  const token = await readOneSecret('github.token', source, { root: project.root, env, redactor });
  return openGitHub({ ...settings, token, deadline, ...(signal ? { signal } : {}) });
}

/** Returns the page of the run that this command is part of, where a workflow of GitHub runs it. */
function logUrlOf({
  GITHUB_ACTIONS: isWorkflow,
  GITHUB_SERVER_URL: server,
  GITHUB_REPOSITORY: repository,
  GITHUB_RUN_ID: run,
}: Readonly<Record<string, string | undefined>>): string | undefined {
  const url = `${server}/${repository}/actions/runs/${run}`;
  return isWorkflow === 'true' && URL.canParse(url) ? url : undefined;
}
