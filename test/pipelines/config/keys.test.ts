import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { publicKeyOf } from '../../../pipelines/model/public-key.ts';
import { common, load, problemsOf } from './files.ts';

const pem = () => {
  const key = publicKeyOf(generateKeyPairSync('ed25519').publicKey);
  if (!key) throw new Error('a key of another type');
  return key;
};
const { keyId, pem: text } = pem();
const quoted = JSON.stringify(text);
const withKeys = (...lines: string[]) => `${common}keys:\n${lines.map((line) => `  ${line}\n`).join('')}`;

test('keys are read with what they are trusted with', () => {
  const written = `anna: { public: ${quoted}, signs: [approval], environments: [dev], from: 2026-01-01, until: 2026-07-01T12:00Z }`;
  expect(load(withKeys(written)).keys).toEqual([
    {
      name: 'anna',
      keyId,
      type: 'ed25519',
      pem: text,
      signs: ['approval'],
      environments: ['dev'],
      from: Date.parse('2026-01-01'),
      until: Date.parse('2026-07-01T12:00Z'),
    },
  ]);
  expect(load(withKeys(`ci: { public: ${quoted}, signs: [release], private: agent }`)).keys?.[0]?.private).toEqual({
    agent: true,
  });
  expect(load(common).keys).toBeUndefined();
});

test('all that is wrong about keys is said at once', () => {
  const lines = [
    `a: { public: ssh-rsa AAAA, signs: [approval] }`,
    `b: { public: ${quoted}, signs: [aproval], until: 2026-02-30 }`,
    `c: { public: ${quoted}, signs: [] }`,
    `d: { public: ${quoted}, signs: [audit], private: { password: x } }`,
  ];
  expect(problemsOf(withKeys(...lines))).toEqual([
    'lockage.yaml:6  keys.a.public  expected a public key, Ed25519 or P-256: PEM (BEGIN PUBLIC KEY), or a line such as ssh-ed25519 AAAA…',
    'lockage.yaml:7  keys.b.signs[0]  expected one of provenance, release, sbom, verification, approval, promotion, rollback, policy, audit, got "aproval", did you mean approval?',
    'lockage.yaml:7  keys.b.until  expected a date such as 2026-12-20, or 2026-12-20T18:00Z, got "2026-02-30"',
    'lockage.yaml:8  keys.c.signs  expected at least one kind of statements',
    'lockage.yaml:9  keys.d.private.file  is missing: expected a file',
    'lockage.yaml:9  keys.d.private.password  unknown key',
  ]);
});

test('a key has one name, and is of environments that there are', () => {
  const lines = [
    `a: { public: ${quoted}, signs: [approval], environments: [prd] }`,
    `b: { public: ${quoted}, signs: [release], from: 2026-02-01, until: 2026-01-01 }`,
  ];
  expect(problemsOf(withKeys(...lines))).toEqual([
    'lockage.yaml:6  keys.a.environments[0]  is no environment',
    'lockage.yaml:7  keys.b.public  is the key of a, too: a key has one name',
    'lockage.yaml:7  keys.b.until  is not later than `from`: nothing that it signs would count',
  ]);
});
