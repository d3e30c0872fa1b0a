import { createPublicKey, sign } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openBundle, signBundle } from '../../../../pipelines/model/evidence/bundle.ts';
import { parseStatement, statementText, statementType } from '../../../../pipelines/model/evidence/statement.ts';
import { hashOf } from '../../../../pipelines/model/public-key.ts';
import { release } from '../values.ts';
import { ownedKey, type OwnedKey } from './keys.ts';

const owners = [ownedKey('ed'), ownedKey('ec', {}, 'p256')];
const stranger = ownedKey('stranger');
const keys = owners.map(({ key }) => key);
const text = statementText(release('1.0.0'), 'release', { app: 'shop', version: '1.0.0', ä: 'ö 😀' });

/** What an independent program says of a bundle: Sigstore's own verifier, with the key that the hint names. */
function sigstoreAccepts(bundle: string, { key }: OwnedKey): boolean {
  try {
    const entity = toSignedEntity(bundleFromJSON(JSON.parse(bundle)));
    const trust = {
      ...{ certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] },
      publicKey: () => ({ publicKey: createPublicKey(key.pem), validFor: () => true }),
    };
    new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, tsaThreshold: 0 }).verify(entity);
    return true;
  } catch {
    return false;
  }
}

describe.each(owners)('a bundle of $key.type', (owner) => {
  test('says who signed what, to us and to Sigstore', async () => {
    const bundle = await signBundle(owner.signer, text);
    expect(openBundle(bundle, keys)).toMatchObject({
      key: owner.key,
      kind: 'release',
      subject: release('1.0.0').digest,
    });
    expect(sigstoreAccepts(bundle, owner)).toBe(true);
    expect(sigstoreAccepts(bundle, stranger)).toBe(false);
  });

  test('counts only while its key is trusted', async () => {
    const bundle = await signBundle(owner.signer, text);
    expect(() => openBundle(bundle, [stranger.key])).toThrow('signed with a key that is not trusted');
    expect(() => openBundle(bundle, [])).toThrow('not trusted');
  });

  test('is refused however it is tampered with', async () => {
    const bundle = await signBundle(owner.signer, text);
    const other = await signBundle(owners.find((each) => each !== owner)?.signer ?? owner.signer, text);
    for (const [what, tampered] of tamperings(bundle, other, owner)) {
      expect(tampered, what).not.toBe(bundle);
      expect(() => openBundle(tampered, keys), what).toThrow();
    }
    expect(tamperings(bundle, other, owner).length).toBeGreaterThan(100);
  });

  test('is refused when any character of it is another one', async () => {
    const bundle = await signBundle(owner.signer, text);
    const place = fc.integer({ min: 0, max: bundle.length - 1 });
    fc.assert(
      fc.property(place, fc.string({ minLength: 1, maxLength: 1, unit: 'binary-ascii' }), (at, character) => {
        const changed = bundle.slice(0, at) + character + bundle.slice(at + 1);
        fc.pre(changed !== bundle && !sameJson(changed, bundle));
        expect(() => openBundle(changed, keys)).toThrow();
      }),
      { numRuns: 1000 },
    );
  });

  test('is refused when any value in it is of another kind', async () => {
    const bundle = await signBundle(owner.signer, text);
    fc.assert(
      fc.property(fc.constantFrom(...pathsOf(JSON.parse(bundle))), fc.jsonValue(), (path, value) => {
        const changed = JSON.stringify(withValue(JSON.parse(bundle), path, value));
        fc.pre(!sameJson(changed, bundle));
        expect(() => openBundle(changed, keys)).toThrow();
      }),
      { numRuns: 1000 },
    );
  });

  test('never makes what reads it fail in another way', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (any) => {
        expect(() => openBundle(any, keys)).toThrow(/^(it|the bundle|verificationMaterial|publicKey|dsseEnvelope) /);
      }),
    );
  });
});

describe('a statement that is signed is refused', () => {
  const base = JSON.parse(text) as Record<string, unknown>;
  const subject = [{ name: 'x', digest: { sha256: 'a'.repeat(64) } }];
  test.each([
    ['that is of another version of the format', { _type: 'https://in-toto.io/Statement/v2' }],
    ['of a type that nobody knows', { predicateType: 'https://slsa.dev/provenance/v0.2' }],
    ['of no type', { predicateType: undefined }],
    ['of several types', { predicateType: ['urn:lockage:release:v1'] }],
    ['about nothing', { subject: [] }],
    ['about two images', { subject: [...subject, ...subject] }],
    ['about a mapping', { subject: { 0: subject[0] } }],
    ['with a digest that is too short', { subject: [{ digest: { sha256: 'a'.repeat(63) } }] }],
    ['with a digest in capitals', { subject: [{ digest: { sha256: 'A'.repeat(64) } }] }],
    ['with a second digest', { subject: [{ digest: { sha256: 'a'.repeat(64), sha512: 'b' } }] }],
    ['with another digest only', { subject: [{ digest: { sha1: 'a'.repeat(40) } }] }],
    ['without a predicate', { predicate: undefined }],
    ['with a list as its predicate', { predicate: [] }],
  ])('%s', async (_, changes) => {
    const [owner] = owners;
    if (!owner) throw new Error('no key');
    const wrong = JSON.stringify({ ...base, ...changes });
    expect(() => parseStatement(wrong)).toThrow();
    const bundle = await signBundle(owner.signer, wrong);
    expect(() => openBundle(bundle, keys)).toThrow();
  });

  test('that is no JSON, or no text', async () => {
    const [owner] = owners;
    if (!owner) throw new Error('no key');
    for (const wrong of ['', 'null', '[]', '1', '{', `{"_type":"${statementType}"}`]) {
      const bundle = await signBundle(owner.signer, wrong);
      expect(() => openBundle(bundle, keys)).toThrow();
    }
  });
});

/** Ways to tamper with a bundle of one key, with a bundle of another trusted key at hand. */
function tamperings(bundle: string, other: string, owner: OwnedKey): (readonly [string, string])[] {
  const parsed = () => JSON.parse(bundle);
  const theirs = JSON.parse(other);
  const changed = (what: string, change: (value: Parsed) => unknown): readonly [string, string] => {
    const value = parsed();
    return [what, JSON.stringify(change(value) ?? value)];
  };
  const payload: string = parsed().dsseEnvelope.payload;
  const sig: string = parsed().dsseEnvelope.signatures[0].sig;
  const signed = Buffer.from(payload, 'base64');
  const strangers = sign(hashOf(owner.key.type), signed, owner.privateKey).toString('base64');
  const forms = (value: string) => ({
    'url-safe': Buffer.from(value, 'base64').toString('base64url'),
    unpadded: `${value}AA==`.replaceAll('=', ''),
    'with a line break': `${value}\n`,
    'with a space': ` ${value}`,
    'with a break inside': `${value.slice(0, 4)}\r\n${value.slice(4)}`,
    'with more padding': `${value}=`,
    twice: value + value,
    'as hex': Buffer.from(value, 'base64').toString('hex'),
    'cut short': value.slice(0, -4),
    empty: '',
    'with one bit turned': flipped(value, 0),
    'with its last byte turned': flipped(value, -1),
  });
  const paths = pathsOf(parsed());
  const kinds: readonly unknown[] = [null, 0, true, '', [], {}, 'x'];
  return [
    ...Object.entries(forms(payload)).map(([how, value]) =>
      changed(`payload ${how}`, (each) => void (each.dsseEnvelope.payload = value)),
    ),
    ...Object.entries(forms(sig)).map(([how, value]) =>
      changed(`signature ${how}`, (each) => void (each.dsseEnvelope.signatures[0].sig = value)),
    ),
    ...paths.map((path) => changed(`without ${path.join('.')}`, (each) => withValue(each, path, undefined))),
    ...paths.map((path) => changed(`more in ${path.join('.')}`, (each) => withMore(each, path))),
    ...paths.flatMap((path) =>
      kinds.map((kind) =>
        changed(`${path.join('.')} as ${JSON.stringify(kind)}`, (each) => withValue(each, path, kind)),
      ),
    ),
    changed('two signatures', (each) => void each.dsseEnvelope.signatures.push(each.dsseEnvelope.signatures[0])),
    changed(
      'a second, foreign signature',
      (each) => void each.dsseEnvelope.signatures.push(theirs.dsseEnvelope.signatures[0]),
    ),
    changed(
      'a first, foreign signature',
      (each) => void each.dsseEnvelope.signatures.unshift(theirs.dsseEnvelope.signatures[0]),
    ),
    changed('the hint of another key', (each) => void (each.verificationMaterial = theirs.verificationMaterial)),
    changed('the whole name of another key', (each) => {
      each.verificationMaterial = theirs.verificationMaterial;
      each.dsseEnvelope.signatures[0].keyid = theirs.verificationMaterial.publicKey.hint;
    }),
    changed('the id of another key at the signature', (each) => {
      each.dsseEnvelope.signatures[0].keyid = theirs.verificationMaterial.publicKey.hint;
    }),
    changed(
      'the signature of another key',
      (each) => void (each.dsseEnvelope.signatures = theirs.dsseEnvelope.signatures),
    ),
    changed('a signature of the payload alone', (each) => void (each.dsseEnvelope.signatures[0].sig = strangers)),
    changed('the key itself in it', (each) => void (each.verificationMaterial.publicKey.rawBytes = owner.key.pem)),
    changed('a certificate', (each) => void (each.verificationMaterial = { certificate: { rawBytes: sig } })),
    changed('a log', (each) => void (each.verificationMaterial.tlogEntries = [{}])),
    changed('the type of another payload', (each) => void (each.dsseEnvelope.payloadType = 'text/plain')),
    changed(
      'an earlier version',
      (each) => void (each.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.2'),
    ),
    changed('a message in place of an envelope', (each) => {
      each.messageSignature = { messageDigest: { algorithm: 'SHA2_256', digest: sig }, signature: sig };
      delete each.dsseEnvelope;
    }),
    changed('a list of it', (each) => [each]),
    ['something behind it', `${bundle}{}`],
    ['nothing', ''],
    ['a prototype', bundle.replace('{"hint"', '{"__proto__":{"hint":"x"},"hint"')],
  ];
}

type Path = readonly (string | number)[];
/** A value of JSON that is taken apart as it is. */
type Parsed = ReturnType<typeof JSON.parse>;

function pathsOf(value: unknown, above: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const path = [...above, Array.isArray(value) ? Number(key) : key];
    return [path, ...pathsOf(member, path)];
  });
}

function withValue(root: Parsed, path: Path, value: unknown): unknown {
  const last = path.at(-1) ?? '';
  const place = path.slice(0, -1).reduce((each, key) => each[key], root);
  if (value === undefined && Array.isArray(place)) place.splice(Number(last), 1);
  else place[last] = value;
  return root;
}

/** Adds a member to a mapping, an entry to a list, or characters to a text. */
function withMore(root: Parsed, path: Path): unknown {
  const found = path.reduce((each, key) => each[key], root);
  if (Array.isArray(found)) found.push({});
  else if (typeof found === 'object') found.more = 1;
  else withValue(root, path, `${found}x`);
  return root;
}

function flipped(base64: string, at: number): string {
  const bytes = Buffer.from(base64, 'base64');
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  return bytes.toString('base64');
}

/** Whether two texts are one value: JSON has spaces, and more than one way to write a character. */
function sameJson(a: string, b: string): boolean {
  try {
    return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b));
  } catch {
    return false;
  }
}
