import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isSignedBy, parsePublicKey, publicKeyOf, sshBlob } from '../../../pipelines/model/public-key.ts';
import { keyProblem, type TrustedKey } from '../../../pipelines/model/trusted-key.ts';

const pairs = [generateKeyPairSync('ed25519'), generateKeyPairSync('ec', { namedCurve: 'prime256v1' })];

describe('a public key', () => {
  test.each(pairs)('of $publicKey.asymmetricKeyType is the same one as PEM and as a line of ssh', ({ publicKey }) => {
    const found = publicKeyOf(publicKey);
    if (!found) throw new Error('a key of another type');
    const kind = found.type === 'ed25519' ? 'ssh-ed25519' : 'ecdsa-sha2-nistp256';
    expect(parsePublicKey(found.pem)).toEqual(found);
    expect(parsePublicKey(`${kind} ${sshBlob(found).toString('base64')} anna@laptop\n`)).toEqual(found);
    const der = publicKey.export({ format: 'der', type: 'spki' });
    expect(found.keyId).toBe(createHash('sha256').update(der).digest('hex'));
  });

  test('is none of another type, cut short, or private', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey;
    const pem = (key: typeof rsa) => key.export({ format: 'pem', type: 'spki' }).toString();
    const blob = sshBlob(parsePublicKey(pem(pairs[1]?.publicKey ?? rsa)) ?? { keyId: '', type: 'p256', pem: '' });
    const wrong = [
      pem(rsa),
      pem(p384),
      pairs[0]?.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() ?? '',
      `ssh-ed25519 ${blob.toString('base64')}`,
      `ecdsa-sha2-nistp256 ${blob.subarray(0, -1).toString('base64')}`,
      `ecdsa-sha2-nistp256 ${Buffer.concat([blob, blob]).toString('base64')}`,
      'ssh-ed25519',
      'ssh-ed25519 AAAA',
      '',
      'x'.repeat(10_000),
    ];
    expect(wrong.map(parsePublicKey)).toEqual(wrong.map(() => undefined));
  });

  test('takes no signature of the other algorithm, of a raw form, or none at all', () => {
    const [ed, ec] = pairs.map(({ publicKey }) => publicKeyOf(publicKey));
    if (!ed || !ec || !pairs[0] || !pairs[1]) throw new Error('a key of another type');
    const bytes = Buffer.from('x');
    const [byEd, byEc] = [sign(null, bytes, pairs[0].privateKey), sign('sha256', bytes, pairs[1].privateKey)];
    expect([isSignedBy(ed, bytes, byEd), isSignedBy(ec, bytes, byEc)]).toEqual([true, true]);
    expect([isSignedBy(ed, bytes, byEc), isSignedBy(ec, bytes, byEd)]).toEqual([false, false]);
    const raw = sign('sha256', bytes, { key: pairs[1].privateKey, dsaEncoding: 'ieee-p1363' });
    const sha512 = sign('sha512', bytes, pairs[1].privateKey);
    for (const other of [raw, sha512, Buffer.alloc(0), Buffer.alloc(64)])
      expect(isSignedBy(ec, bytes, other)).toBe(false);
  });
});

describe('a key counts', () => {
  const day = (text: string) => Date.parse(text);
  const key: TrustedKey = {
    name: 'anna',
    keyId: 'a',
    type: 'p256',
    pem: '',
    signs: ['approval'],
    environments: ['prod'],
    from: day('2026-01-01'),
    until: day('2027-01-01'),
  };
  const use = { kind: 'approval', environment: 'prod', at: day('2026-06-01') } as const;

  test('for what it is trusted with, where, and as long as it is', () => {
    expect(keyProblem(key, use)).toBeUndefined();
    expect(keyProblem(key, { kind: 'approval', at: use.at })).toBeUndefined();
    expect(keyProblem(key, { ...use, at: day('2026-01-01') })).toBeUndefined();
  });

  test.each([
    [{ ...use, kind: 'release' }, 'the key anna may not sign release'],
    [{ ...use, environment: 'qa' }, 'the key anna may not sign for qa'],
    [{ ...use, at: day('2025-12-31') }, 'the key anna counts from 2026-01-01 on, and signed before'],
    [{ ...use, at: day('2027-01-01') }, 'the key anna counted until 2027-01-01, and signed later'],
    [{ ...use, at: Number.NaN }, 'the key anna counts from 2026-01-01 on, and signed before'],
  ] as const)('for nothing else: %j', (other, problem) => {
    expect(keyProblem(key, other)).toBe(problem);
  });

  test('for nothing once it is revoked, whenever it signed', () => {
    expect(keyProblem({ ...key, revoked: 'stolen' }, use)).toBe('the key anna is revoked: stolen');
  });
});
