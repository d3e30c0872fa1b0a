// Takes what the double of GitHub checks itself by out of GitHub's description of its REST API:
//
//   node test/support/github/extract.mjs api.github.com.json
//
// The file is in the npm package @octokit/openapi (23.0.2), which is far too large to depend on. What only people read is
// left out, and `nullable` becomes what JSON Schema has for it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const repo = '/repos/{owner}/{repo}';
const wanted = {
  [`${repo}/deployments`]: ['get', 'post'],
  [`${repo}/deployments/{deployment_id}/statuses`]: ['get', 'post'],
  [`${repo}/statuses/{sha}`]: ['post'],
  [`${repo}/releases`]: ['post'],
  [`${repo}/releases/tags/{tag}`]: ['get'],
  [`${repo}/commits/{commit_sha}/pulls`]: ['get'],
  [`${repo}/issues/{issue_number}/comments`]: ['get'],
  [`${repo}/collaborators/{username}/permission`]: ['get'],
  [`${repo}/actions/runs/{run_id}`]: ['get'],
  [`${repo}/actions/runs/{run_id}/approvals`]: ['get'],
};
const forPeople = new Set([
  'description',
  'summary',
  'example',
  'examples',
  'externalDocs',
  'tags',
  'title',
  'deprecated',
]);

const api = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
/** @type {any} */
const components = {};

/**
 * Keeps what machines check, and what it refers to. `isMap`: its keys are names of somebody's, not of the schema's.
 * @param {any} node
 * @returns {any}
 */
function kept(node, isMap = false) {
  if (Array.isArray(node)) return node.map((each) => kept(each));
  if (node === null || typeof node !== 'object') return node;
  if (typeof node.$ref === 'string') return reference(node.$ref);
  const entries = Object.entries(node).filter(([key]) => isMap || !(forPeople.has(key) || key.startsWith('x-')));
  const { nullable, ...schema } = Object.fromEntries(
    entries.map(([key, value]) => [key, kept(value, key === 'properties' || key === 'headers' || key === 'responses')]),
  );
  if (isMap || nullable !== true) return nullable === undefined || nullable === true ? schema : { ...schema, nullable };
  if (typeof schema.type !== 'string') return { anyOf: [schema, { type: 'null' }] };
  return { ...schema, type: [schema.type, 'null'], ...(schema.enum ? { enum: [...schema.enum, null] } : {}) };
}

/**
 * @param {string} $ref
 * @returns {any}
 */
function reference($ref) {
  const [, , kind = '', name = ''] = $ref.split('/');
  components[kind] ??= {};
  if (!(name in components[kind])) {
    components[kind][name] = {};
    components[kind][name] = kept(api.components[kind][name]);
  }
  return { $ref };
}

const paths = Object.fromEntries(
  Object.entries(wanted).map(([path, methods]) => [
    path,
    Object.fromEntries(
      methods.map((method) => {
        const { parameters, requestBody, responses } = api.paths[path][method];
        return [method, kept({ parameters, requestBody, responses })];
      }),
    ),
  ]),
);
const file = join(import.meta.dirname, 'openapi.json');
writeFileSync(file, `${JSON.stringify({ info: { version: api.info.version }, paths, components })}\n`);
