import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Referrers } from '../../infra/registry/referrers.ts';
import { RegistryWriter } from '../../infra/registry/writer.ts';
import { runToEnd } from '../../infra/system/process.ts';
import { bundleType, openBundle, signBundle } from '../../pipelines/model/evidence/bundle.ts';
import { predicateTypes, statementText } from '../../pipelines/model/evidence/statement.ts';
import { hashOf, publicKeyOf, type KeyType } from '../../pipelines/model/public-key.ts';
import type { Digest } from '../../pipelines/model/release.ts';
import { TestRegistry } from '../support/registry-fixture.ts';

/** Where cosign 2.5 is; its own tests run only then, as `LOCKAGE_COSIGN=… npm test -- test/real/evidence-registry.test.ts`. */
const cosign = process.env['LOCKAGE_COSIGN'];

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const digestOf = (bytes: Buffer): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

let registry: TestRegistry;
let repository: string;
let folder: string;
const referrers = new Referrers();
const writer = new RegistryWriter();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-evidence-'));
  registry = await TestRegistry.start();
  repository = `${registry.address}/team/shop`;
});
afterAll(async () => {
  await registry?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Puts an image without layers into the registry, another one for each label. */
async function image(label: string): Promise<Digest> {
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Labels: { label } } }));
  await writer.putBlob(repository, {
    ...{ digest: digestOf(config), size: config.length },
    open: async () => Readable.from([config]),
  });
  const descriptor = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digestOf(config),
    size: config.length,
  };
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: descriptor, layers: [] }),
  );
  const digest = digestOf(manifest);
  await writer.putManifest(repository, digest, { digest, mediaType: manifestType, bytes: manifest });
  return digest;
}

const attach = (digest: Digest, text: string, kind: keyof typeof predicateTypes = 'release') =>
  referrers.attach(repository, digest, {
    artifactType: bundleType,
    content: Buffer.from(text),
    annotations: {
      'dev.sigstore.bundle.content': 'dsse-envelope',
      'dev.sigstore.bundle.predicateType': predicateTypes[kind],
    },
  });
const found = async (digest: Digest) =>
  (await referrers.contents(repository, digest, bundleType)).map((content) => content.toString());

describe('what refers to an image, in a registry without an API for it', () => {
  test('is found again, each once, and of no other image', async () => {
    const [one, two] = [await image('one'), await image('two')];
    expect(await found(one)).toEqual([]);
    for (const text of ['a', 'b', 'a']) await attach(one, text);
    await attach(two, 'c');
    expect(await found(one)).toEqual(['a', 'b']);
    expect(await found(two)).toEqual(['c']);
  });

  test('is found of many who add to it at the same time', async () => {
    const digest = await image('many');
    await Promise.all(['a', 'b', 'c'].map((text) => attach(digest, text)));
    for (const text of ['a', 'b', 'c']) await attach(digest, text);
    expect((await found(digest)).toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('is passed over where it is gone, of another type, or of another image', async () => {
    const [one, two] = [await image('whole'), await image('other')];
    await attach(two, 'theirs');
    const tag = (digest: Digest) => `http://${registry.address}/v2/team/shop/manifests/${digest.replace(':', '-')}`;
    const headers = {
      Accept: 'application/vnd.oci.image.index.v1+json',
      'Content-Type': 'application/vnd.oci.image.index.v1+json',
    };
    const theirs = await (await fetch(tag(two), { headers })).text();
    expect((await fetch(tag(one), { method: 'PUT', body: theirs, headers })).status).toBe(201);
    expect(await found(one)).toEqual([]);
    const [manifest]: { digest: string }[] = JSON.parse(theirs).manifests;
    await attach(one, 'own');
    expect(await found(one)).toEqual(['own']);
    const own = `http://${registry.address}/v2/team/shop/manifests/${manifest?.digest}`;
    expect((await fetch(own, { method: 'DELETE' })).status).toBe(202);
    expect(await found(two)).toEqual([]);
    await attach(one, 'another');
    expect(await found(one)).toEqual(['own', 'another']);
  });

  test('can be of no image that is not there', async () => {
    await expect(attach(`sha256:${'0'.repeat(64)}`, 'a')).rejects.toThrow(registry.address);
  });
});

describe.runIf(cosign)('cosign, with a key of one’s own and without network', () => {
  async function key(type: KeyType) {
    const pair =
      type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const publicKey = publicKeyOf(pair.publicKey);
    if (!publicKey) throw new Error('a key of another type');
    const signature = async (bytes: Uint8Array) => sign(hashOf(type), bytes, pair.privateKey);
    await writeFile(join(folder, `${type}.pub`), publicKey.pem);
    await writeFile(join(folder, `${type}.pem`), pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    return { ...publicKey, signer: { keyId: publicKey.keyId, name: type, publicKey, sign: signature } };
  }

  const run = async (...words: string[]) => {
    const env = { ...process.env, COSIGN_PASSWORD: '', HOME: folder };
    const { code, stderr, stdout } = await runToEnd(cosign ?? '', words, 60_000, { env, cwd: folder });
    return { code, said: `${stdout}${stderr}` };
  };
  const offline = ['--insecure-ignore-tlog=true', '--new-bundle-format', '--trusted-root', 'root.json'];

  beforeAll(async () => {
    const root = { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' };
    const none = { tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] };
    await writeFile(join(folder, 'root.json'), JSON.stringify({ ...root, ...none }));
  });

  test.each(['ed25519', 'p256'] as const)('accepts what %s signed here, beside an image', async (type) => {
    const [{ signer }, { signer: other }] = [await key(type), await key(type === 'p256' ? 'ed25519' : 'p256')];
    const digest = await image(type);
    await attach(digest, await signBundle(signer, statementText({ repository, digest }, 'release', { app: 'shop' })));
    const words = ['verify-attestation', ...offline, '--type', predicateTypes.release, `${repository}@${digest}`];
    const accepted = await run(...words, '--key', `${type}.pub`);
    expect([accepted.code, accepted.said]).toEqual([0, expect.stringContaining('signatures were verified')]);
    const refused = await run(...words, '--key', `${other.name}.pub`);
    expect(refused.code).not.toBe(0);
  });

  test.each(['ed25519', 'p256'] as const)('is accepted here, of %s', async (type) => {
    const { signer: _, ...publicKey } = await key(type);
    await writeFile(join(folder, 'blob'), 'hello\n');
    await writeFile(join(folder, 'sbom.json'), '{"bomFormat":"CycloneDX","specVersion":"1.6"}');
    expect((await run('import-key-pair', '--key', `${type}.pem`, '--output-key-prefix', type, '-y')).code).toBe(0);
    const how = ['--type', 'cyclonedx', '--predicate', 'sbom.json', '--new-bundle-format', '--tlog-upload=false', '-y'];
    const made = await run('attest-blob', '--key', `${type}.key`, ...how, '--bundle', `${type}.json`, 'blob');
    expect([made.code, made.said]).toEqual([0, expect.anything()]);
    const text = (await runToEnd('cat', [join(folder, `${type}.json`)], 5000)).stdout;
    const digest = digestOf(Buffer.from('hello\n'));
    expect(openBundle(text, [publicKey])).toMatchObject({ kind: 'sbom', subject: digest });
  });
});
