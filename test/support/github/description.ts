/** GitHub's description of its API: which requests there are, whether one is as it has to be, and whether an answer is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean };
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: object }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** A request that the description knows. */
export interface KnownRequest {
  /** `POST /repos/{owner}/{repo}/deployments` */
  readonly name: string;
  readonly path: string;
  readonly method: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const file = join(import.meta.dirname, 'openapi.json');
const document = JSON.parse(readFileSync(file, 'utf8')) as Document;
// Formats are not checked: what GitHub calls a date is not always what JSON Schema does.
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true }).addSchema(document, 'github');
const checks = new Map<string, ValidateFunction>();

const escaped = (part: string) => part.replaceAll('~', '~0').replaceAll('/', '~1');
const pointer = (...parts: readonly string[]) => `#/${parts.map(escaped).join('/')}`;

function resolve(ref: string): unknown {
  const parts = ref
    .slice(2)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return parts.reduce<unknown>((node, part) => (node as Record<string, unknown>)[part], document);
}

function problemsOf(ref: string, value: unknown): string[] {
  const check = checks.get(ref) ?? ajv.compile({ $ref: `github${encodeURI(ref)}` });
  checks.set(ref, check);
  return check(value)
    ? []
    : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
}

/** Returns the request that a method and a path (without its query) are; undefined for one that GitHub does not know. */
export function knownRequest(method: string, path: string): KnownRequest | undefined {
  for (const [template, operations] of Object.entries(document.paths)) {
    const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    const found = new RegExp(`^${template.replaceAll(/\{\w+\}/g, '([^/]+)')}$`).exec(path);
    if (!found || !(method.toLowerCase() in operations)) continue;
    const parameters = Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(found[at + 1] ?? '')]));
    return { name: `${method} ${template}`, path: template, method: method.toLowerCase(), parameters };
  }
  return undefined;
}

/** Returns what is wrong with a request, by the description. */
export function requestProblems(request: KnownRequest, query: URLSearchParams, body: unknown): string[] {
  const operation = document.paths[request.path]?.[request.method];
  const parameters = (operation?.parameters ?? []).map((given) =>
    given.$ref === undefined ? given : (resolve(given.$ref) as Parameter),
  );
  const known = new Set(parameters.filter((each) => each.in === 'query').map(({ name }) => name));
  const strange = [...query.keys()].filter((name) => !known.has(name)).map((name) => `unknown parameter ${name}`);
  const wrong = parameters.flatMap((parameter) => {
    const given = parameter.in === 'path' ? request.parameters[parameter.name] : query.get(parameter.name);
    if (given === undefined || given === null) return parameter.required ? [`${parameter.name} is missing`] : [];
    const isNumber = parameter.schema.type === 'integer';
    const check = ajv.compile(parameter.schema.$ref ? { $ref: `github${parameter.schema.$ref}` } : parameter.schema);
    return check(isNumber ? Number(given) : given) ? [] : [`${parameter.name} is ${given}`];
  });
  if (operation?.requestBody === undefined) return [...strange, ...wrong];
  const schema = pointer('paths', request.path, request.method, 'requestBody', 'content', 'application/json', 'schema');
  return [...strange, ...wrong, ...problemsOf(schema, body)];
}

/** Returns what is wrong with an answer, by the description. */
export function answerProblems(request: KnownRequest, status: number, body: unknown): string[] {
  const responses = document.paths[request.path]?.[request.method]?.responses ?? {};
  const response = responses[String(status)];
  if (response === undefined) return [`${status} is no answer to it`];
  const at = response.$ref ?? pointer('paths', request.path, request.method, 'responses', String(status));
  const { content } = resolve(at) as { readonly content?: object };
  return content ? problemsOf(`${at}${pointer('content', 'application/json', 'schema').slice(1)}`, body) : [];
}

/** Returns the smallest value that is as the description has it, with these members over it. */
export function sample(name: string, members: object = {}): Record<string, unknown> {
  return { ...(smallest({ $ref: `#/components/schemas/${name}` }, false) as object), ...members };
}

function smallest(schema: Schema, mayBeNull = true): unknown {
  if (schema.$ref !== undefined) return smallest(resolve(schema.$ref) as Schema, mayBeNull);
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return options.some(({ type }) => type === 'null') ? null : smallest(options[0] ?? {});
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((each) => smallest(each, false))) as object;
  if (schema.enum) return schema.enum.includes(null) ? null : schema.enum[0];
  const types = [schema.type ?? 'object'].flat();
  if (mayBeNull && types.includes('null')) return null;
  const type = types.find((each) => each !== 'null');
  if (type === 'object') {
    const needed = (schema.required ?? []).map((key) => [key, smallest(schema.properties?.[key] ?? {})]);
    return Object.fromEntries(needed) as object;
  }
  if (type === 'array') return [];
  if (type === 'boolean') return false;
  if (type === 'integer' || type === 'number') return 1;
  return schema.format === 'date-time' ? '2026-01-02T00:00:00Z' : 'https://github.example.com/x';
}
