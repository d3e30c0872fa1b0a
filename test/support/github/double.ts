/**
 * A GitHub of one repository on this computer: it keeps what it is told, and answers as GitHub does. Each request and each
 * answer is checked against GitHub's own description of its API; that it also behaves as GitHub is only as true as this file.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { answerProblems, knownRequest, requestProblems, sample, type KnownRequest } from './description.ts';
import type { Trouble } from './troubles.ts';

export interface Person {
  readonly login: string;
  readonly id: number;
  readonly type?: string;
}

export interface Comment {
  readonly by: Person;
  readonly body: string;
  readonly edited?: boolean;
  readonly viaApp?: boolean;
}

export interface Run {
  readonly head_sha: string;
  /** who started it, and who did so once more; absent: nobody of interest */
  readonly actor?: Person;
  readonly again?: Person;
  readonly reviews: readonly { readonly by: Person; readonly state: string; readonly environment: string }[];
}

export interface Deployment {
  readonly id: number;
  readonly sha: string;
  readonly environment: string;
  readonly task: string;
  readonly production_environment: boolean;
  readonly payload: unknown;
  /** newest first */
  readonly states: Readonly<Record<string, unknown>>[];
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const at = '2026-01-02T00:00:00Z';
const later = '2026-01-02T00:05:00Z';

export class GitHubDouble {
  /** `POST /repos/{owner}/{repo}/deployments 201` */
  readonly requests: string[] = [];
  /** what was not as GitHub's description has it */
  readonly violations: string[] = [];
  readonly tokens = new Set<string>();
  commits: string[] = [];
  readonly deployments: Deployment[] = [];
  readonly statuses: Record<string, unknown>[] = [];
  readonly releases: Record<string, unknown>[] = [];
  /** commit → numbers of pull requests */
  readonly pulls = new Map<string, { readonly number: number; readonly merged: boolean }[]>();
  /** number of a pull request → comments */
  readonly comments = new Map<number, Comment[]>();
  /** login → permission, and whose name it is today */
  readonly permissions = new Map<string, { readonly permission: string; readonly id: number }>();
  readonly runs = new Map<number, Run>();
  /** comes before the answer of each request, where there is one */
  trouble: (name: string, nth: number) => Trouble | undefined = () => undefined;
  readonly #server: Server;
  #ids = 100;
  #port = 0;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<GitHubDouble> {
    const double = new GitHubDouble();
    await once(double.#server.listen(0, '127.0.0.1'), 'listening');
    double.#port = (double.#server.address() as AddressInfo).port;
    return double;
  }

  /** the base of the API, under a path as an Enterprise Server has it */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/api/v3`;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Returns the newest state of each deployment of an environment, newest deployment first. */
  states(environment: string): string[] {
    const of = this.deployments.filter((each) => each.environment === environment).reverse();
    return of.map(({ states }) => String(states[0]?.['state']));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.url);
    const written = await text(request);
    const known = knownRequest(request.method ?? '', url.pathname.replace('/api/v3', ''));
    const name = known?.name ?? `${request.method} ${url.pathname}`;
    const nth = this.requests.filter((each) => each.startsWith(`${name} `)).length + 1;
    const answer = () => {
      const { status, body, headers = {} } = this.#answer(known, request, url.searchParams, written);
      this.requests.push(`${name} ${status}`);
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
      response.end(status === 304 ? undefined : JSON.stringify(body));
    };
    const trouble = this.trouble(name, nth);
    if (!trouble) return answer();
    this.requests.push(`${name} trouble`);
    await trouble(response, answer);
  }

  #answer(known: KnownRequest | undefined, request: IncomingMessage, query: URLSearchParams, written: string): Answer {
    const { authorization = '', 'user-agent': agent, 'if-none-match': before } = request.headers;
    if (agent === undefined) return { status: 403, body: { message: 'Request forbidden by administrative rules.' } };
    if (!this.tokens.has(authorization.replace(/^(?:token|bearer) /i, ''))) {
      return { status: 401, body: { message: 'Bad credentials', documentation_url: '', status: '401' } };
    }
    if (!known) {
      this.violations.push(`GitHub knows no ${request.method} ${request.url}`);
      return { status: 404, body: notFound };
    }
    const body: unknown = written === '' ? undefined : JSON.parse(written);
    const problems = requestProblems(known, query, body);
    this.violations.push(...problems.map((problem) => `${known.name}: ${problem}`));
    if (problems.length > 0) return { status: 422, body: invalid(problems.join('; ')) };
    const answer = this.#handle(known, query, (body ?? {}) as Record<string, unknown>);
    const wrong = answerProblems(known, answer.status, answer.body);
    this.violations.push(...wrong.map((problem) => `answer to ${known.name}: ${problem}`));
    if (known.method !== 'get' || answer.status !== 200) return answer;
    const etag = `"${createHash('sha256').update(JSON.stringify(answer)).digest('hex')}"`;
    return before === etag ? { ...answer, status: 304 } : { ...answer, headers: { ...answer.headers, etag } };
  }

  #handle({ name, parameters }: KnownRequest, query: URLSearchParams, body: Record<string, unknown>): Answer {
    const repo = '/repos/{owner}/{repo}';
    const number = (parameter: string) => Number(parameters[parameter]);
    switch (name.replace(repo, '')) {
      case 'POST /deployments':
        return this.#deploy(body);
      case 'GET /deployments': {
        const of = this.deployments.filter((each) => each.environment === query.get('environment')).reverse();
        return this.#page(of.map(deploymentBody), query, name);
      }
      case 'POST /deployments/{deployment_id}/statuses': {
        const deployment = this.deployments.find(({ id }) => id === number('deployment_id'));
        if (!deployment) return { status: 422, body: invalid('no such deployment') };
        deployment.states.unshift(body);
        return { status: 201, body: statusBody(body, (this.#ids += 1)) };
      }
      case 'GET /deployments/{deployment_id}/statuses': {
        const deployment = this.deployments.find(({ id }) => id === number('deployment_id'));
        if (!deployment) return { status: 404, body: notFound };
        return this.#page(
          deployment.states.map((each, nth) => statusBody(each, nth + 1)),
          query,
          name,
        );
      }
      case 'POST /statuses/{sha}': {
        this.statuses.push({ sha: parameters['sha'], ...body });
        return { status: 201, body: sample('status', { ...body, id: (this.#ids += 1) }) };
      }
      case 'POST /releases': {
        if (this.releases.some(({ tag_name: tag }) => tag === body['tag_name'])) {
          return { status: 422, body: invalid('already_exists') };
        }
        this.releases.push(body);
        return { status: 201, body: sample('release', { author: user({ login: 'bot', id: 1 }), ...body }) };
      }
      case 'GET /releases/tags/{tag}': {
        const found = this.releases.find(({ tag_name: tag }) => tag === parameters['tag']);
        if (!found) return { status: 404, body: notFound };
        return { status: 200, body: sample('release', { author: user({ login: 'bot', id: 1 }), ...found }) };
      }
      default:
        return this.#handlePeople({ name: name.replace(repo, ''), parameters }, query);
    }
  }

  #handlePeople({ name, parameters }: Pick<KnownRequest, 'name' | 'parameters'>, query: URLSearchParams): Answer {
    switch (name) {
      case 'GET /commits/{commit_sha}/pulls': {
        const pulls = this.pulls.get(parameters['commit_sha'] ?? '') ?? [];
        return this.#page(pulls.map(pullBody), query, name);
      }
      case 'GET /issues/{issue_number}/comments':
        return this.#page((this.comments.get(Number(parameters['issue_number'])) ?? []).map(commentBody), query, name);
      case 'GET /collaborators/{username}/permission': {
        const found = this.permissions.get(parameters['username'] ?? '');
        if (!found) return { status: 404, body: notFound };
        const { permission, id } = found;
        const who = { ...user({ login: parameters['username'] ?? '', id }), role_name: permission };
        return { status: 200, body: sample('repository-collaborator-permission', { permission, user: who }) };
      }
      default:
        return this.#handleRun(name, Number(parameters['run_id']));
    }
  }

  #handleRun(name: string, id: number): Answer {
    const run: Run = this.runs.get(id) ?? { head_sha: '', reviews: [] };
    if (name === 'GET /actions/runs/{run_id}') {
      const { actor = nobody, again = actor } = run;
      const who = { actor: user(actor), triggering_actor: user(again) };
      return { status: 200, body: sample('workflow-run', { id, head_sha: run.head_sha, created_at: at, ...who }) };
    }
    const reviews = run.reviews.map(({ by, state, environment }) => ({
      state,
      comment: '',
      user: user(by),
      environments: [{ id: 1, name: environment }],
    }));
    return { status: 200, body: reviews };
  }

  #deploy(body: Record<string, unknown>): Answer {
    const { ref, environment, task = 'deploy', payload = {}, production_environment = false } = body;
    if (!this.commits.includes(String(ref))) return { status: 422, body: invalid(`No ref found for: ${String(ref)}`) };
    const deployment = {
      id: (this.#ids += 1),
      sha: String(ref),
      environment: String(environment),
      task: String(task),
      production_environment: production_environment === true,
      payload,
      states: [],
    };
    this.deployments.push(deployment);
    return { status: 201, body: deploymentBody(deployment) };
  }

  #page(all: readonly unknown[], query: URLSearchParams, name: string): Answer {
    const size = Number(query.get('per_page') ?? 30);
    const page = Number(query.get('page') ?? 1);
    const body = all.slice((page - 1) * size, page * size);
    if (all.length <= page * size) return { status: 200, body };
    const next = new URL(`${this.url}${this.#lastPath(name)}`);
    for (const [key, value] of query) next.searchParams.set(key, value);
    next.searchParams.set('page', String(page + 1));
    return { status: 200, body, headers: { link: `<${next.href}>; rel="next"` } };
  }

  /** The path that pages are turned on, of the one repository and the one pull request that tests have. */
  #lastPath(name: string): string {
    const [issue] = this.comments.keys();
    const path = name
      .replace(/^GET /, '')
      .replace('/repos/{owner}/{repo}', '')
      .replace('{issue_number}', String(issue));
    return `/repos/acme/shop${path}`;
  }
}

/** Who starts a run of which nobody says who did. */
const nobody = { login: 'octocat', id: 1 };

const notFound = { message: 'Not Found', documentation_url: 'https://docs.github.com/rest', status: '404' };

function invalid(message: string): object {
  return { message, documentation_url: 'https://docs.github.com/rest', errors: [{ code: 'custom', message }] };
}

function user({ login, id, type = 'User' }: Person): object {
  return sample('simple-user', { login, id, type });
}

function deploymentBody({ id, sha, environment, task, payload, production_environment }: Deployment): object {
  return sample('deployment', { id, sha, ref: sha, environment, task, payload, production_environment });
}

function statusBody(state: Readonly<Record<string, unknown>>, id: number): object {
  return sample('deployment-status', { id, state: state['state'], description: state['description'] ?? '' });
}

function pullBody({ number, merged }: { readonly number: number; readonly merged: boolean }): object {
  return sample('pull-request-simple', { number, merged_at: merged ? at : null });
}

function commentBody({ by, body, edited, viaApp }: Comment, nth: number): object {
  return sample('issue-comment', {
    id: nth + 1,
    body,
    user: user(by),
    created_at: at,
    updated_at: edited ? later : at,
    html_url: `https://github.example.com/acme/shop/pull/7#issuecomment-${nth + 1}`,
    ...(viaApp ? { performed_via_github_app: sample('nullable-integration') } : {}),
  });
}
