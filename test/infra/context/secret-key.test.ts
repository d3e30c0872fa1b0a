import crypto, { createHmac } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { describe, expect, test, vi } from 'vitest';
import { SecretKey } from '../../../infra/context/secret-key.ts';
import { SecretValues } from '../../../infra/context/secret-values.ts';

const key = new SecretKey('shop', 'a passphrase');
const secret = { name: 'TOKEN', version: '1a2b3c4d' };
const value = 'päss\nword of prod';

describe('a sealed value', () => {
  test('is opened by the same passphrase, for the same secret and version', async () => {
    const sealed = await key.seal(secret, value);
    expect(await new SecretKey('shop', 'a passphrase').open(secret, sealed)).toBe(value);
    expect(await key.open({ ...secret, name: 'OTHER' }, sealed)).toBeUndefined();
    expect(await key.open({ ...secret, version: '00000000' }, sealed)).toBeUndefined();
    expect(await new SecretKey('shop', 'another').open(secret, sealed)).toBeUndefined();
    expect(await new SecretKey('blog', 'a passphrase').open(secret, sealed)).toBeUndefined();
  });

  test('shows nothing of the value, and is another one each time', async () => {
    const [one, two] = await Promise.all([key.seal(secret, value), key.seal(secret, value)]);
    expect(one).not.toBe(two);
    expect(one).toMatch(/^v1\.[A-Za-z0-9+/=]+$/);
    expect(Buffer.from(one.slice(3), 'base64').includes(value)).toBe(false);
  });

  test('is not opened when anything of it was changed', async () => {
    const sealed = await key.seal(secret, value);
    const bytes = Buffer.from(sealed.slice(3), 'base64');
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(await key.open(secret, `v1.${changed.toString('base64')}`)).toBeUndefined();
    }
    for (const damaged of ['', 'v1.', 'v1.AAAA', sealed.slice(0, -8), `v2${sealed.slice(2)}`]) {
      expect(await key.open(secret, damaged)).toBeUndefined();
    }
  });
});

describe('the version of a value', () => {
  test('is the same for the same value of an application, and tells others apart', async () => {
    expect(await key.versionOf('a')).toMatch(/^[0-9a-f]{8}$/);
    expect(await new SecretKey('shop', 'a passphrase').versionOf('a')).toBe(await key.versionOf('a'));
    expect(await key.versionOf('b')).not.toBe(await key.versionOf('a'));
    expect(await new SecretKey('blog', 'a passphrase').versionOf('a')).not.toBe(await key.versionOf('a'));
  });

  test('does not follow from the passphrase without the slow step', async () => {
    const guesses = ['a passphrase', 'shop\na passphrase'].map((salt) => createHmac('sha256', salt).update('a'));
    const fast = guesses.map((hash) => hash.digest('hex').slice(0, 8));
    expect(fast).not.toContain(await key.versionOf('a'));
  });

  test('costs the slow step once, and only when it is asked for', async () => {
    const slowStep = vi.spyOn(crypto, 'scrypt');
    syncBuiltinESMExports();
    try {
      const other = new SecretKey('shop', 'one more passphrase');
      expect(slowStep).not.toHaveBeenCalled();
      await Promise.all(['a', 'b', 'c'].map((each) => other.versionOf(each)));
      expect(slowStep).toHaveBeenCalledOnce();
    } finally {
      slowStep.mockRestore();
      syncBuiltinESMExports();
    }
  });
});

test('where no value is known, nothing is sealed and no key is asked for: a rollback to a standby', async () => {
  expect(await new SecretValues().sealed('TOKEN', '1a2b3c4d')).toBeUndefined();
  const values = new SecretValues();
  values.add('TOKEN', '1a2b3c4d', value);
  await expect(values.sealed('TOKEN', '1a2b3c4d')).rejects.toThrow('this process has no key for secrets');
});
