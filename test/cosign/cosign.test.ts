import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runToEnd } from '../../infra/system/process.ts';
import { openBundle, signBundle } from '../../pipelines/model/evidence/bundle.ts';
import { predicateTypes, statementText } from '../../pipelines/model/evidence/statement.ts';
import { hashOf, publicKeyOf, type KeyType } from '../../pipelines/model/public-key.ts';
import { buildTime, goProgram } from '../support/go-program.ts';
import { digestOf, SignedImages } from '../support/signed-images.ts';

const built = () => goProgram('cosign', 'github.com/sigstore/cosign/v2/cmd/cosign', '2.5.3');

let images: SignedImages;

beforeAll(async () => {
  await built();
  images = await SignedImages.start();
}, buildTime);
afterAll(() => images?.stop());

describe('cosign, with a key of one’s own and without network', () => {
  async function key(type: KeyType) {
    const pair =
      type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const publicKey = publicKeyOf(pair.publicKey);
    if (!publicKey) throw new Error('a key of another type');
    const signature = async (bytes: Uint8Array) => sign(hashOf(type), bytes, pair.privateKey);
    await writeFile(join(images.folder, `${type}.pub`), publicKey.pem);
    await writeFile(join(images.folder, `${type}.pem`), pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    return { ...publicKey, signer: { keyId: publicKey.keyId, name: type, publicKey, sign: signature } };
  }

  const run = async (...words: string[]) => {
    const env = { ...process.env, COSIGN_PASSWORD: '', HOME: images.folder };
    const { code, stderr, stdout } = await runToEnd(await built(), words, 60_000, { env, cwd: images.folder });
    return { code, said: `${stdout}${stderr}` };
  };
  const offline = ['--insecure-ignore-tlog=true', '--new-bundle-format', '--trusted-root', 'root.json'];

  beforeAll(async () => {
    const root = { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' };
    const none = { tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] };
    await writeFile(join(images.folder, 'root.json'), JSON.stringify({ ...root, ...none }));
  });

  test.each(['ed25519', 'p256'] as const)('accepts what %s signed here, beside an image', async (type) => {
    const [{ signer }, { signer: other }] = [await key(type), await key(type === 'p256' ? 'ed25519' : 'p256')];
    const digest = await images.image(type);
    await images.attach(
      digest,
      await signBundle(signer, statementText({ repository: images.repository, digest }, 'release', { app: 'shop' })),
    );
    const words = [
      'verify-attestation',
      ...offline,
      '--type',
      predicateTypes.release,
      `${images.repository}@${digest}`,
    ];
    const accepted = await run(...words, '--key', `${type}.pub`);
    expect([accepted.code, accepted.said]).toEqual([0, expect.stringContaining('signatures were verified')]);
    const refused = await run(...words, '--key', `${other.name}.pub`);
    expect(refused.code).not.toBe(0);
  });

  test.each(['ed25519', 'p256'] as const)('is accepted here, of %s', async (type) => {
    const { signer: _, ...publicKey } = await key(type);
    await writeFile(join(images.folder, 'blob'), 'hello\n');
    await writeFile(join(images.folder, 'sbom.json'), '{"bomFormat":"CycloneDX","specVersion":"1.6"}');
    expect((await run('import-key-pair', '--key', `${type}.pem`, '--output-key-prefix', type, '-y')).code).toBe(0);
    const how = ['--type', 'cyclonedx', '--predicate', 'sbom.json', '--new-bundle-format', '--tlog-upload=false', '-y'];
    const made = await run('attest-blob', '--key', `${type}.key`, ...how, '--bundle', `${type}.json`, 'blob');
    expect([made.code, made.said]).toEqual([0, expect.anything()]);
    const text = (await runToEnd('cat', [join(images.folder, `${type}.json`)], 5000)).stdout;
    const digest = digestOf(Buffer.from('hello\n'));
    expect(openBundle(text, [publicKey])).toMatchObject({ kind: 'sbom', subject: digest });
  });
});
