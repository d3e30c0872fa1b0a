import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keyFile, makeKey } from '../../../infra/keys/key-folder.ts';
import { isAtHand, ownSigner, showKey, signerOf } from '../../../infra/keys/signers.ts';
import { runToEnd, startProcess } from '../../../infra/system/process.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { isSignedBy, parsePublicKey, publicKeyOf } from '../../../pipelines/model/public-key.ts';
import type { PrivateKeySource, TrustedKey } from '../../../pipelines/model/trusted-key.ts';

let root: string;
const context = (variables: NodeJS.ProcessEnv = {}) => ({ root, variables: { ...process.env, ...variables } });
const pairs = {
  ed25519: () => generateKeyPairSync('ed25519'),
  p256: () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
};
const bytes = Buffer.from('DSSEv1 \u00e4 \0 and more');

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lockage-keys-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

function trusted(name: string, key: KeyObject, source?: PrivateKeySource): TrustedKey {
  const found = publicKeyOf(key);
  if (!found) throw new Error('a key of another type');
  return { name, ...found, signs: ['release'], ...(source ? { private: source } : {}) };
}

async function written(key: KeyObject, file = 'key.pem', mode = 0o600): Promise<string> {
  await writeFile(join(root, file), key.export({ format: 'pem', type: 'pkcs8' }), { mode });
  return file;
}

const openssl = { ed25519: [], p256: ['-digest', 'sha256'] };

describe.each(['ed25519', 'p256'] as const)('%s', (type) => {
  test('signs from a file', async () => {
    const { privateKey, publicKey } = pairs[type]();
    const key = trusted('ci', publicKey, { file: await written(privateKey) });
    const signature = await (await signerOf(key, context())).sign(bytes);
    expect(isSignedBy(key, bytes, signature)).toBe(true);
    expect(isSignedBy(key, Buffer.concat([bytes, bytes]), signature)).toBe(false);
  });

  test.each(['as it is', 'in base64'])('signs by a command, whose output is taken %s', async (how) => {
    const { privateKey, publicKey } = pairs[type]();
    const file = await written(privateKey);
    const script = `cat > in; openssl pkeyutl -sign -rawin -inkey ${file} -in in ${openssl[type].join(' ')}`;
    const command = ['sh', '-c', how === 'in base64' ? `${script} | base64` : script];
    const key = trusted('ci', publicKey, { command });
    expect(isSignedBy(key, bytes, await (await signerOf(key, context())).sign(bytes))).toBe(true);
  });

  test('waits for no command any more once the operator wants to stop', async () => {
    const { publicKey } = pairs[type]();
    const stop = new AbortController();
    const signer = await signerOf(trusted('ci', publicKey, { command: ['sleep', '50'] }), {
      ...context(),
      signal: stop.signal,
    });
    setTimeout(() => stop.abort(), 50);
    await expect(signer.sign(bytes)).rejects.toThrow('sleep, which signs for ci, failed');
  });

  test('signs by an ssh agent, many times', async () => {
    const ssh = type === 'ed25519' ? ['ed25519'] : ['ecdsa', '-b', '256'];
    await run(['ssh-keygen', '-q', '-t', ...ssh, '-N', '', '-f', join(root, 'id')]);
    const socket = join(root, 'agent');
    const agent = startProcess(['ssh-agent', '-D', '-a', socket]);
    try {
      const variables = { SSH_AUTH_SOCK: socket };
      const line = (await run(['cat', join(root, 'id.pub')])).stdout;
      const found = parsePublicKey(line);
      if (!found) throw new Error(line);
      const key: TrustedKey = { name: 'anna', ...found, signs: ['approval'], private: { agent: true } };
      await expect.poll(() => run(['ssh-add', '-q', join(root, 'id')], variables).then(({ code }) => code)).toBe(0);
      expect(await isAtHand(key, context(variables))).toBe(true);
      const signer = await signerOf(key, context(variables));
      // Lengths of numbers in a signature vary from one to the next.
      for (let index = 0; index < 20; index++) {
        const payload = Buffer.from(`payload ${index}`);
        expect(isSignedBy(key, payload, await signer.sign(payload))).toBe(true);
      }
      await run(['ssh-add', '-q', '-D'], variables);
      await expect(signer.sign(bytes)).rejects.toThrow('it does not have the key');
      expect(await isAtHand(key, context(variables))).toBe(false);
    } finally {
      agent.kill();
    }
  });

  test('is made for its owner alone, once', async () => {
    process.env['LOCKAGE_KEYS'] = root;
    try {
      const { file, publicKey } = await makeKey('anna', type);
      expect(file).toBe(keyFile('anna'));
      const signer = await ownSigner([{ ...publicKey, name: 'anna', signs: ['approval'] }], context());
      expect(isSignedBy(publicKey, bytes, (await signer?.sign(bytes)) ?? Buffer.alloc(0))).toBe(true);
      await expect(makeKey('anna', type)).rejects.toThrow('there is a key anna already');
    } finally {
      delete process.env['LOCKAGE_KEYS'];
    }
  });
});

describe('a private key is refused', () => {
  test.each([0o640, 0o604, 0o620])('that others may read or change: %o', async (mode) => {
    const { privateKey, publicKey } = pairs.p256();
    const file = await written(privateKey);
    await chmod(join(root, file), mode);
    await expect(signerOf(trusted('ci', publicKey, { file }), context())).rejects.toThrow('others may read or change');
  });

  test('that is another one than the public key is of', async () => {
    const file = await written(pairs.ed25519().privateKey);
    const key = trusted('ci', pairs.ed25519().publicKey, { file });
    await expect(signerOf(key, context())).rejects.toThrow('another private key');
  });

  test('that is of another type, locked, missing, or none', async () => {
    const key = (file: string) => trusted('ci', pairs.ed25519().publicKey, { file });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    await expect(signerOf(key(await written(rsa)), context())).rejects.toThrow('of another type');
    await writeFile(join(root, 'locked.pem'), '-----BEGIN ENCRYPTED PRIVATE KEY-----', { mode: 0o600 });
    await expect(signerOf(key('locked.pem'), context())).rejects.toThrow('locked with a passphrase');
    await writeFile(join(root, 'text.pem'), 'hunter2', { mode: 0o600 });
    await expect(signerOf(key('text.pem'), context())).rejects.toThrow(/^(?!.*hunter2).*not in PEM format/s);
    await expect(signerOf(key('none.pem'), context())).rejects.toThrow('there is no such file');
    await expect(signerOf(key('.'), context())).rejects.toThrow('it is no file');
  });

  test('when a command fails, floods, or signs something else', async () => {
    const by = async (command: string[]) => {
      const signer = await signerOf(trusted('ci', pairs.ed25519().publicKey, { command }), context());
      return signer.sign(bytes);
    };
    await expect(by(['sh', '-c', 'echo no token >&2; exit 3'])).rejects.toThrow('failed with exit code 3');
    await expect(by(['sh', '-c', 'yes'])).rejects.toThrow('wrote more than');
    await expect(by(['echo', 'x'])).rejects.toThrow('another private key');
    await expect(by(['no-such-program'])).rejects.toThrow('is not installed');
  });
});

test.each<[string, PrivateKeySource]>([
  ['a program that is not here', { command: ['no-such-program'] }],
  ['a program that signs what it has kept', { command: ['cat', 'kept'] }],
  ['an agent that is not here', { agent: true }],
])('who names a key of %s has not shown that it is theirs', async (_what, source) => {
  const { privateKey, publicKey } = pairs.ed25519();
  const kept = await signerOf(trusted('ci', publicKey, { file: await written(privateKey) }), context());
  await showKey(kept);
  await writeFile(join(root, 'kept'), await kept.sign(bytes));
  const variables = { LOCKAGE_KEY: 'ci', SSH_AUTH_SOCK: undefined };
  const named = await ownSigner([trusted('ci', publicKey, source)], context(variables));
  if (!named) throw new Error('nobody is named');
  await expect(showKey(named)).rejects.toThrow(LockageError);
});

test('one key signs: the only one at hand, or the one that is named', async () => {
  const [one, two] = [pairs.ed25519(), pairs.p256()];
  const first = trusted('first', one.publicKey, { file: await written(one.privateKey, 'first.pem') });
  const second = trusted('second', two.publicKey, { file: await written(two.privateKey, 'second.pem') });
  const away = trusted('away', pairs.p256().publicKey, { file: 'away.pem' });
  expect(await ownSigner([away], context())).toBeUndefined();
  expect((await ownSigner([away, first], context()))?.name).toBe('first');
  await expect(ownSigner([first, second], context())).rejects.toThrow('several keys');
  expect((await ownSigner([first, { ...second, revoked: 'lost' }], context()))?.name).toBe('first');
  expect((await ownSigner([first, { ...second, until: Date.now() - 1 }], context()))?.name).toBe('first');
  await expect(ownSigner([first, { ...second, until: Date.now() + 60_000 }], context())).rejects.toThrow(
    'several keys',
  );
  expect((await ownSigner([first, second], context({ LOCKAGE_KEY: 'second' })))?.name).toBe('second');
  await expect(ownSigner([first], context({ LOCKAGE_KEY: 'other' }))).rejects.toThrow('is no key of this project');
});

async function run(argv: readonly string[], variables: NodeJS.ProcessEnv = {}) {
  const [file = '', ...args] = argv;
  return runToEnd(file, args, 20_000, { env: { ...process.env, ...variables }, cwd: root });
}
