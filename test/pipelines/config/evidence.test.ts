import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { common, load, own, problemsOf } from './files.ts';

const pem = () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  return JSON.stringify(publicKey.export({ format: 'pem', type: 'spki' }).toString());
};
const lines = [
  'pipeline: [dev, qa, prod]',
  'keys:',
  `  ci: { public: ${pem()}, signs: [provenance, release, verification] }`,
  `  anna: { public: ${pem()}, signs: [approval], environments: [prod] }`,
  `  ben: { public: ${pem()}, signs: [approval], environments: [qa] }`,
  `  gone: { public: ${pem()}, signs: [approval, sbom], revoked: lost }`,
];
const project = `${common}${lines.join('\n')}\n`;
const at = (host: string, text = '') => `targets: [ssh://deploy@${host}.example.com]\n${text}`;
const withProd = (text: string, qa = '', all = '') =>
  [`${project}${all}`, { dev: own, qa: at('qa-1', qa), prod: at('prod-1', text) }] as const;
const prod = (text: string, all = '') => load(...withProd(text, '', all)).environments[2];

test('an environment asks for what it says, or for what all say, or for nothing', () => {
  expect(prod('')).not.toHaveProperty('evidence');
  expect(prod('')).not.toHaveProperty('approvals');
  expect(prod('evidence: [release, verification/qa, release]\n')?.evidence).toEqual(['release', 'verification/qa']);
  expect(prod('', 'evidence: [provenance]\n')?.evidence).toEqual(['provenance']);
  expect(prod('evidence: []\n', 'evidence: [provenance]\n')).not.toHaveProperty('evidence');
  expect(prod('approvals: { count: 1, from: [anna], not: [builder], within: 2h }\n')?.approvals).toEqual({
    count: 1,
    from: ['anna'],
    not: ['builder'],
    within: 7_200_000,
  });
  expect(prod('approvals: { count: 1 }\n')?.approvals).toEqual({ count: 1, within: 168 * 3_600_000 });
  expect(prod('approvals: { count: 0 }\n')).not.toHaveProperty('approvals');
});

test('what can never be is said at once', () => {
  const text =
    'evidence: [sbom, verification/qq, verification/prod]\napprovals: { count: 3, from: [anna, ben, gone] }\n';
  expect(problemsOf(...withProd(text))).toEqual([
    'environments/prod.yaml:2  evidence[0]  can be signed by none of `keys`',
    'environments/prod.yaml:2  evidence[1]  qq is no environment, did you mean qa?',
    'environments/prod.yaml:2  evidence[2]  is of prod itself',
    'environments/prod.yaml:3  approvals.from[1]  ben is none of `keys` that may approve for prod',
    'environments/prod.yaml:3  approvals.from[2]  gone is none of `keys` that may approve for prod',
    'environments/prod.yaml:3  approvals.count  is 3, and 1 may approve',
  ]);
});

test('people may approve on GitHub who are its approvers there', () => {
  const all = 'github: { repository: acme/shop, approvers: { prod: [{ login: ben, id: 7 }] } }\n';
  const rule = 'approvals: { count: 2, from: [anna, github:ben] }\n';
  expect(prod(rule, all)?.approvals).toMatchObject({ count: 2, from: ['anna', 'github:ben'] });
  expect(problemsOf(...withProd('approvals: { count: 3, from: [anna, github:ben, github:cara] }\n', '', all))).toEqual([
    'environments/prod.yaml:2  approvals.from[2]  github:cara is none of `github.approvers` of prod',
    'environments/prod.yaml:2  approvals.count  is 3, and 2 may approve',
  ]);
});

test('what is of no known form is refused', () => {
  const text = 'evidence: [verification, slsa]\napprovals: { count: two, not: [me], with: 1h }\n';
  expect(problemsOf(...withProd(text))).toEqual([
    expect.stringContaining('evidence[0]  expected provenance, release, sbom or verification/ENVIRONMENT'),
    expect.stringContaining('evidence[1]  expected provenance, release, sbom or verification/ENVIRONMENT'),
    expect.stringContaining('approvals.count  expected a number of people from 0 to 20, got "two"'),
    expect.stringContaining('approvals.not[0]  expected builder or promoter, got "me"'),
    expect.stringContaining('approvals.with  unknown key'),
  ]);
});

test('an environment may be called as what every object has', () => {
  const all =
    'pipeline: [constructor]\ngithub: { repository: acme/shop, approvers: { dev: [{ login: ben, id: 7 }] } }\n';
  const text = at('prod-1', 'approvals: { count: 1, from: [github:ben] }\n');
  expect(problemsOf(`${project.replace(lines[0] ?? '', '')}${all}`, { constructor: text })).toContainEqual(
    'environments/constructor.yaml:2  approvals.from[0]  github:ben is none of `github.approvers` of constructor',
  );
});
