import { LockageError } from '../../pipelines/errors.ts';
import type { Approver, GitHub } from '../../pipelines/model/integrations.ts';
import type { ExternalApproval } from '../../pipelines/model/evidence/external-approval.ts';
import type { ExternalApprovals, ApprovalQuestion } from '../../pipelines/operations/ports/approvals.ts';
import { statusOf, type GitHubClient } from './client.ts';

/*
 * Approvals that people gave on GitHub: by the review of a run that waits before a protected environment, or by a comment on
 * the pull request that the release's commit came by. What they wrote says what they approve; that it was they, that they may,
 * and that nobody changed it afterwards is what GitHub's API says, and each is asked for again every time. Whatever cannot be
 * asked approves nothing.
 */

/** The variables of a process, where the runner of a workflow says which run it is. */
type Variables = Readonly<Record<string, string | undefined>>;

/** The permissions of who may write to the repository. */
const mayWrite: ReadonlySet<string> = new Set(['admin', 'write']);
/** `lockage approve prod sha256:… configuration …`, on a line of its own. */
const sentence = /^lockage approve ([a-z0-9-]+) (sha256:[0-9a-f]{64})(?: configuration ([0-9a-f]{64}))?$/;

/** The approvals of a repository on GitHub. */
export class GitHubApprovals implements ExternalApprovals {
  readonly #client: GitHubClient;
  readonly #approvers: GitHub['approvers'];
  readonly #run: number | undefined;

  constructor(client: GitHubClient, settings: Pick<GitHub, 'approvers'>, variables: Variables = {}) {
    this.#client = client;
    this.#approvers = settings.approvers;
    this.#run = runIn(variables);
  }

  async find(question: ApprovalQuestion): Promise<readonly ExternalApproval[]> {
    const allowed = this.#approvers[question.environment] ?? [];
    if (allowed.length === 0 || question.release.commit === undefined) return [];
    return this.#client.within(async () => {
      const running = this.#run === undefined ? Promise.resolve(undefined) : runOf(this.#client, this.#run);
      const [run, comments, reviews] = await Promise.all([
        running,
        commentApprovals(this.#client, question, allowed),
        running.then((known) => (known ? reviewApprovals(this.#client, question, allowed, known) : [])),
      ]);
      const isStarter = ({ id }: ExternalApproval) => run?.starters.some((starter) => id === `github:${starter}`);
      return [...comments, ...reviews].map((each) => (isStarter(each) ? { ...each, isPromoter: true as const } : each));
    });
  }
}

async function commentApprovals(
  client: GitHubClient,
  question: ApprovalQuestion,
  allowed: readonly Approver[],
): Promise<ExternalApproval[]> {
  const { octokit, repo } = client;
  const { release } = question;
  const pulls = await octokit.paginate(octokit.rest.repos.listPullRequestsAssociatedWithCommit, {
    ...repo,
    commit_sha: release.commit ?? '',
    per_page: 100,
  });
  const found: ExternalApproval[] = [];
  // A pull request that was not merged may have anybody's commit in it.
  for (const { number } of pulls.filter((pull) => pull.merged_at !== null)) {
    const comments = await octokit.paginate(octokit.rest.issues.listComments, {
      ...repo,
      issue_number: number,
      per_page: 100,
    });
    for (const comment of comments) {
      const approver = personOf(comment.user, allowed);
      if (approver === undefined || !approves(comment.body ?? '', question)) continue;
      // An app writes in the name of a person, who may know nothing of it; and whoever may edit it may write anything.
      if (comment.performed_via_github_app || comment.created_at !== comment.updated_at) continue;
      if (!(await mayApprove(client, approver))) continue;
      found.push(approvalOf(question, approver, comment.created_at, comment.html_url));
    }
  }
  return found;
}

/** Returns whether a line of a comment approves this release for this environment, as it is configured, and nothing else. */
function approves(body: string, { environment, release, configuration }: ApprovalQuestion): boolean {
  return body.split(/\r?\n/).some((line) => {
    const [, where, what, how] = sentence.exec(line.trim()) ?? [];
    return where === environment && what === release.digest && (configuration === undefined || how === configuration);
  });
}

/** The run that this process is part of. */
interface Run {
  readonly id: number;
  readonly commit: string;
  readonly createdAt: string;
  readonly page: string;
  /** numbers of who started it, at first and once more */
  readonly starters: readonly number[];
}

async function runOf({ octokit, repo }: GitHubClient, id: number): Promise<Run> {
  const { data: run } = await octokit.rest.actions.getWorkflowRun({ ...repo, run_id: id });
  const starters = [run.actor, run.triggering_actor].flatMap((user) => user?.id ?? []);
  return { id, commit: run.head_sha, createdAt: run.created_at, page: run.html_url, starters };
}

/**
 * A review approves what the run was started for: it counts for the release whose commit that is, and for the configuration of
 * that commit, which is the one that a run of it has.
 */
async function reviewApprovals(
  client: GitHubClient,
  question: ApprovalQuestion,
  allowed: readonly Approver[],
  run: Run,
): Promise<ExternalApproval[]> {
  const { octokit, repo } = client;
  if (run.commit !== question.release.commit) return [];
  const { data: reviews } = await octokit.rest.actions.getReviewsForRun({ ...repo, run_id: run.id });
  const found: ExternalApproval[] = [];
  for (const { state, user, environments } of reviews) {
    const approver = personOf(user, allowed);
    const isHere = environments.some(({ name }) => name === question.environment);
    if (approver === undefined || state !== 'approved' || !isHere) continue;
    if (!(await mayApprove(client, approver))) continue;
    // When it was said is not said: not before the run was made.
    found.push(approvalOf(question, approver, run.createdAt, run.page));
  }
  return found;
}

function approvalOf(
  { environment, release }: ApprovalQuestion,
  { login, id }: Approver,
  at: string,
  source: string,
): ExternalApproval {
  return { environment, digest: release.digest, by: `github:${login}`, id: `github:${id}`, at, source };
}

interface GitHubUser {
  readonly login: string;
  readonly id: number;
  readonly type?: string;
}

/** Returns the person that a user is: by number, as names change hands. */
function personOf(user: GitHubUser | null | undefined, allowed: readonly Approver[]): Approver | undefined {
  if (user === null || user === undefined || user.type !== 'User') return undefined;
  return allowed.find(({ id, login }) => id === user.id && login.toLowerCase() === user.login.toLowerCase());
}

/** Returns whether a person may write to the repository today: who left has said nothing any more. */
async function mayApprove({ octokit, repo }: GitHubClient, { login, id }: Approver): Promise<boolean> {
  try {
    const { data } = await octokit.rest.repos.getCollaboratorPermissionLevel({ ...repo, username: login });
    return mayWrite.has(data.permission) && data.user?.id === id;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}

/** Returns the number of the run that this process is part of; undefined outside of one. Throws LockageError where it is none. */
function runIn({ GITHUB_ACTIONS: isWorkflow, GITHUB_RUN_ID: id = '' }: Variables): number | undefined {
  if (isWorkflow !== 'true') return undefined;
  if (/^[1-9]\d{0,15}$/.test(id)) return Number(id);
  throw new LockageError('GITHUB_RUN_ID is no number of a run');
}
