/**
 * What a registry wants to see before it answers: the login itself, or a token of its token service for what is to be done.
 * https://distribution.github.io/distribution/spec/auth/token
 */
import { LockageError } from '../../pipelines/errors.ts';
import { oneLine } from '../../pipelines/text/one-line.ts';
import { shortened } from '../../pipelines/text/shortened.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import type { HttpAnswer, HttpRequest } from './http.ts';
import type { Reference } from './reference.ts';

/** A registry that answered 401. */
export interface Demand {
  readonly reference: Reference;
  /** what is to be done, as tokens name it: `pull,push` */
  readonly actions: string;
  /** its WWW-Authenticate header */
  readonly header: string;
  readonly credentials: Credentials | undefined;
  /** it is reached by plain http, and so may its token service be */
  readonly isPlain: boolean;
  send(server: string, url: URL, request: HttpRequest, authorization: string | undefined): Promise<HttpAnswer>;
}

/** Returns the Authorization header that a registry asks for; undefined when this machine has no login for it. Throws LockageError. */
export async function authorizationFor(demand: Demand): Promise<string | undefined> {
  const { credentials, header } = demand;
  const basic = credentials && 'username' in credentials ? basicHeader(credentials) : undefined;
  const challenges = parseChallenges(header);
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (!bearer) return basic;
  const token = await tokenFrom(demand, bearer, basic);
  if (token !== undefined) return `Bearer ${token}`;
  // One that offers both takes the login itself where its tokens are for others.
  return challenges.some(({ scheme }) => scheme === 'basic') ? basic : undefined;
}

async function tokenFrom(demand: Demand, challenge: Challenge, basic: string | undefined): Promise<string | undefined> {
  const { reference, credentials, send } = demand;
  const { registry } = reference;
  const realm = realmOf(demand, challenge);
  const asked: [string, string][] = [
    ['service', challenge.parameters.get('service') ?? ''],
    ...scopes(demand, challenge.parameters.get('scope')).map((scope): [string, string] => ['scope', scope]),
  ];
  const url = new URL(realm);
  let request: HttpRequest = { method: 'GET', redirects: 'refuse' };
  if (credentials && 'identityToken' in credentials) {
    const grant = { grant_type: 'refresh_token', refresh_token: credentials.identityToken, client_id: 'lockage' };
    const scope = asked.flatMap(([name, value]) => (name === 'scope' ? [value] : [])).join(' ');
    const form = new URLSearchParams({ ...grant, service: asked[0]?.[1] ?? '', scope });
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    request = { ...request, method: 'POST', headers, body: Buffer.from(form.toString()) };
  } else {
    for (const [name, value] of asked) url.searchParams.append(name, value);
  }
  const service = `the token service ${realm.host} of ${registry}`;
  const answer = await send(service, url, request, basic);
  // The statuses of services that do not accept the login, or this kind of login.
  if ([400, 401, 403, 404].includes(answer.status)) return undefined;
  const fine = answer.status === 200;
  const token = fine ? tokenIn(answer.body) : undefined;
  if (token !== undefined) return token;
  throw new LockageError(`${service} ${fine ? 'sent no token' : `failed: ${answer.status}`}`, {
    details: [`${request.method} ${realm.pathname}: ${answer.status} ${errorText(answer.body)}`.trim()],
    hint: fine ? 'Something between, as a proxy, may have answered in its place.' : 'Try again later.',
  });
}

function realmOf({ reference: { registry }, isPlain, header }: Demand, challenge: Challenge): URL {
  const place = challenge.parameters.get('realm') ?? '';
  const realm = URL.canParse(place) ? new URL(place) : undefined;
  if (realm && (realm.protocol === 'https:' || (realm.protocol === 'http:' && isPlain))) return realm;
  throw new LockageError(`${registry} names no safe place to get a token from`, {
    details: [`it says: ${header.slice(0, 200)}`],
  });
}

/** Returns what a token is asked for. A registry behind a path of another one calls the repository by another name than we do. */
function scopes({ reference, actions }: Demand, offered: string | undefined): string[] {
  const own = `repository:${reference.name}:${actions}`;
  const theirs = offered?.split(' ').filter((scope) => scope !== '') ?? [];
  const isNamed = theirs.some((scope) => scope.startsWith(`repository:${reference.name}:`));
  return [...new Set([own, ...(isNamed ? [] : theirs)])].slice(0, 5);
}

function tokenIn(body: Buffer): string | undefined {
  try {
    const { token, access_token: other } = Object(JSON.parse(body.toString('utf8'))) as Record<string, unknown>;
    const found = [token, other].find((each) => typeof each === 'string' && each !== '') as string | undefined;
    // A header has no place for anything else.
    return found !== undefined && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function basicHeader({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Returns what a registry says in an answer that is an error. */
export function errorText(body: Buffer): string {
  try {
    const { errors } = Object(JSON.parse(body.toString('utf8'))) as { errors?: unknown };
    const all = Array.isArray(errors) ? (errors as unknown[]) : [];
    const texts = all.map((each) => {
      const { code, message } = Object(each) as { readonly code?: unknown; readonly message?: unknown };
      return [message, code].find((text) => typeof text === 'string');
    });
    return shortened(oneLine(texts.filter((text) => text !== undefined).join(', ')), 500);
  } catch {
    return '';
  }
}
