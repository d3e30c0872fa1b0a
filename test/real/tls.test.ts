import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../infra/docker/api/client.ts';
import { Connections } from '../../infra/docker/connections.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { TlsFiles } from '../../pipelines/model/endpoint.ts';
import { fromRecord } from '../../pipelines/model/target-record.ts';
import type { Target } from '../../pipelines/model/target.ts';
import { createAuthority, issueCertificate, type Issue, type KeyPair } from '../../scripts/lab/certificates.ts';
import { labAuthority, serverFolder } from '../../scripts/lab/tls.ts';
import { command } from '../support/engine-fixture.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const day = 24 * 60 * 60_000;
const opened: Connections[] = [];

describe.runIf(labsWork)('hosts reached by TLS', () => {
  let project: TestProject;
  let folder: string;
  let authority: KeyPair;
  let files: TlsFiles;

  beforeAll(async () => {
    project = await TestProject.open({ app: 'small-app', environments: { prod: { hosts: 1, reach: 'tls' } } });
    process.env['XDG_RUNTIME_DIR'] = project.env['XDG_RUNTIME_DIR'];
    folder = join(project.lab.dataDir, 'other');
    authority = labAuthority(project.lab.dataDir);
    files = project.lab.host('prod-1').tls ?? { ca: '', cert: '', key: '' };
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
  }, setupTime);

  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });

  afterAll(async () => project?.remove());

  /** The host as configured, but for what a test changes. */
  function hostWith(changes: Partial<TlsFiles> = {}, url = project.lab.host('prod-1').url): Target {
    const { address } = project.lab.host('prod-1');
    return fromRecord({ name: 'prod-1', url, address, tls: { ...files, ...changes } });
  }

  function connect(host: Target): Promise<Engine> {
    const connections = new Connections({ stateDir: join(project.folder, '.lockage') });
    opened.push(connections);
    return connections.engine(host);
  }

  async function failure(host: Target): Promise<LockageError> {
    const error = await connect(host).then(
      () => undefined,
      (reason: unknown) => reason as LockageError,
    );
    expect(error).toBeInstanceOf(LockageError);
    expect(error).toMatchObject({ message: expect.stringMatching(/^prod-1: /) });
    return error as LockageError;
  }

  /** Gives the host's engine another certificate. */
  async function serve(issue: Partial<Issue>, signer = authority): Promise<void> {
    const host = project.lab.host('prod-1');
    const server = { name: 'server', use: 'server', altNames: [`IP:${host.address}`], ...issue } as const;
    await issueCertificate(signer, serverFolder(project.lab.dataDir, 'prod-1'), server);
    await host.stopDocker();
    await host.startDocker();
  }

  test('take a release like any other', async () => {
    expect((await project.promote('1.0.0', 'prod')).code).toBe(0);
    expect(await project.versions('prod')).toEqual(['1.0.0']);
    const stacks = join(project.folder, '.lockage/state/.pulumi/stacks/trial');
    const states = (await readdir(stacks)).filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(states.map((name) => readFile(join(stacks, name), 'utf8')));
    expect(texts.join()).toContain(project.lab.host('prod-1').url);
    expect(texts.join()).not.toContain('PRIVATE KEY');
  });

  test('are asked by several commands at the same time', async () => {
    const promoting = project.promote('1.1.0', 'prod');
    const asked = await Promise.all(Array.from({ length: 4 }, () => project.run('status', '--env', 'prod', '--json')));
    for (const { code, json } of asked) expect([code, json.problems]).toEqual([0, []]);
    expect((await promoting).code).toBe(0);
    expect((await project.rollback('prod')).code).toBe(0);
    expect(await project.versions('prod')).toEqual(['1.0.0']);
    await project.succeed('resume', 'prod');
  });

  test('are found by the certificates of today, whatever was recorded', async () => {
    const before = join(folder, 'before.pem');
    const { name, url, address } = project.lab.host('prod-1');
    const moved = await issueCertificate(authority, folder, { name: 'moved', use: 'client' });
    await project.configureEnvironment('prod', { targets: [{ name, url, address, tls: { ...files, ...moved } }] });
    await rename(files.cert, before);
    // What is missing makes Pulumi ask the engine by what its state has.
    await project.engine('prod-1').removeContainer('trial-prod-edge', { force: true });
    expect((await project.promote('1.0.0', 'prod')).code).toBe(0);
    expect((await project.promote('1.1.0', 'prod')).code).toBe(0);
    expect((await project.rollback('prod')).code).toBe(0);
    expect(await project.versions('prod')).toEqual(['1.0.0']);
    await project.succeed('resume', 'prod');
    await rename(before, files.cert);
    await project.configureEnvironment('prod', {});
  });

  test('stream both ways, and keep what they write from other users', async () => {
    const engine = await connect(hostWith());
    const input = 'größe\n'.repeat(50_000);
    expect((await engine.exec('trial-prod-edge', ['cat'], { stdin: input })).stdout).toBe(input);
    expect((await engine.exec('trial-prod-edge', ['sh', '-c', 'exit 3'], { stdin: input })).code).toBe(3);
    const made = await readdir(join(project.env['XDG_RUNTIME_DIR'] ?? '', 'lockage'));
    expect(made.filter((name) => name.endsWith('.tls'))).toHaveLength(1);
    expect((await stat(join(project.env['XDG_RUNTIME_DIR'] ?? '', 'lockage'))).mode & 0o077).toBe(0);
  });

  test.each<[what: string, files: () => Promise<Partial<TlsFiles>>, message: RegExp]>([
    [
      'a file that is not there',
      async () => ({ cert: '/absent.pem' }),
      /client certificate \/absent\.pem cannot be read/,
    ],
    ['a garbled certificate', async () => ({ ca: await garbled() }), /garbled\.pem is no certificate$/],
    ['a garbled key', async () => ({ key: await garbled() }), /garbled\.pem is no private key$/],
    ['a key with a passphrase', async () => ({ key: await locked() }), /is locked with a passphrase$/],
    ['a key of another certificate', async () => ({ key: authority.key }), /does not fit the certificate/],
    [
      'an expired client certificate',
      () => client({ until: Date.now() - day, from: Date.now() - 2 * day }),
      /expired on 20/,
    ],
    ['one for later', () => client({ from: Date.now() + day }), /is not valid before 20/],
  ])('%s is named before anything is sent', async (_, change, message) => {
    expect((await failure(hostWith(await change()))).message).toMatch(message);
  });

  test('refuse a client of another CA, and say so', async () => {
    const other = await createAuthority(join(folder, 'strange'), 'strange CA');
    const stranger = await issueCertificate(other, folder, { name: 'stranger', use: 'client' });
    const error = await failure(hostWith(stranger));
    expect(error.message).toMatch(/the Docker Engine at .* refuses the client certificate .*stranger\.pem/);
    expect(error.details.join()).toContain('signed by CN=strange CA');
    const server = await issueCertificate(authority, folder, { name: 'no-client', use: 'server' });
    expect((await failure(hostWith(server))).message).toContain('refuses the client certificate');
  });

  test('are not trusted under another CA', async () => {
    const other = await createAuthority(join(folder, 'unknown'), 'unknown CA');
    const error = await failure(hostWith({ ca: other.cert }));
    expect(error.message).toMatch(/the server certificate of .* is not signed by the CA in .*unknown\/ca\.pem/);
    expect(error.details.join()).toContain('CN=unknown CA');
  });

  test('are not mistaken for what speaks no TLS, or does not speak', async () => {
    const plain = await failure(hostWith({}, `tcp://${project.lab.registry}`));
    expect(plain.message).toContain('does not speak TLS');
    const silent = await failure(hostWith({}, project.lab.host('prod-1').url.replace('2376', '2377')));
    expect(silent.message).toContain('nobody listens there');
    const nowhere = await failure(hostWith({}, 'tcp://no-such-host.invalid:2376'));
    expect(nowhere.message).toContain('its name is not found');
  });

  test('that end soon are warned of', async () => {
    await serve({ until: Date.now() + 9.5 * day });
    const text = /prod-1.*the server certificate expires on 20\d\d-\d\d-\d\d, in 9 days/;
    const doctor = await project.run('doctor');
    expect(doctor.stdout).toMatch(text);
    const status = await project.succeed('status', '--env', 'prod');
    expect(status.json.warnings).toEqual([expect.stringMatching(text)]);
    const plan = await project.run('promote', '1.1.0', '--to', 'prod', '--plan');
    expect([plan.code, plan.stderr]).toEqual([0, expect.stringMatching(text)]);
  });

  test('that are cut off are given up after ten seconds', async () => {
    const host = project.lab.host('prod-1');
    await host.unplug();
    const started = performance.now();
    expect((await failure(hostWith())).message).toContain('it does not answer');
    expect(performance.now() - started).toBeLessThan(30_000);
    await host.plug();
  });

  test('that do not answer are let go of when a command ends', async () => {
    const host = project.lab.host('prod-1');
    await host.unplug();
    const connections = new Connections({ stateDir: join(project.folder, '.lockage') });
    const connecting = connections.engine(hostWith()).catch((error: unknown) => error);
    await sleep(200);
    const closed = performance.now();
    await connections.close();
    expect(await connecting).toMatchObject({ message: expect.stringContaining('closed') });
    expect(performance.now() - closed).toBeLessThan(8000);
    await host.plug();
  });

  test('are trusted under one of several CAs, the others of which may be over', async () => {
    const old = await createAuthority(join(folder, 'old'), 'old CA', -1);
    const both = join(folder, 'both.pem');
    await writeFile(both, (await readFile(old.cert, 'utf8')) + (await readFile(authority.cert, 'utf8')));
    const { certificates } = await connect(hostWith({ ca: both }));
    expect(certificates.map(({ use }) => use)).toEqual(['client', 'server', 'CA']);
    expect(certificates.every(({ expires }) => Date.parse(expires) > Date.now())).toBe(true);
  });

  test('may change their certificate under the same CA', async () => {
    const engine = await connect(hostWith());
    await serve({});
    expect((await engine.info()).OSType).toBe('linux');
    expect((await project.succeed('status', '--env', 'prod')).json.warnings).toBeUndefined();
  });

  test.each<[string, () => Partial<Issue>, RegExp]>([
    [
      'expired',
      () => ({ from: Date.now() - 2 * day, until: Date.now() - day }),
      /the server certificate of .* expired on 20/,
    ],
    ['not yet valid', () => ({ from: Date.now() + day }), /the server certificate of .* is not valid before 20/],
    [
      'for another name',
      () => ({ altNames: ['DNS:other', 'IP:10.9.9.9'] }),
      /the server certificate of .* is not for 10\./,
    ],
    ['for no name', () => ({ altNames: [] }), /the server certificate of .* is not for 10\./],
  ])('are refused with a certificate that is %s', async (what, issue, message) => {
    await serve(issue());
    const error = await failure(hostWith());
    expect(error.message).toMatch(message);
    if (what === 'for another name') expect(error.details[0]).toContain('DNS:other, IP Address:10.9.9.9');
    const refused = await project.promote('1.1.0', 'prod');
    expect([refused.code, refused.json.error.details.join()]).toEqual([2, expect.stringMatching(message)]);
    expect(refused.stderr).not.toMatch(/^\s+at /m);
  });

  test('are refused when their CA is over', async () => {
    const over = await createAuthority(join(folder, 'over'), 'CA of yesterday', -1);
    await serve({}, over);
    expect((await failure(hostWith({ ca: over.cert }))).message).toMatch(
      /the CA certificate .*over\/ca\.pem expired on 20/,
    );
  });

  test('that are somebody else are refused', async () => {
    const rogue = await createAuthority(join(folder, 'rogue'), `lab ${project.lab.name}`);
    await serve({}, rogue);
    const error = await failure(hostWith());
    expect(error.message).toContain('is not signed by the CA in');
    expect(error.details).toContain('they have the same name, but not the same key');
  });

  async function client(dates: Partial<Issue>): Promise<KeyPair> {
    return issueCertificate(authority, folder, { name: 'dated', use: 'client', ...dates });
  }

  async function garbled(): Promise<string> {
    const file = join(project.lab.dataDir, 'garbled.pem');
    await writeFile(file, '-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n');
    return file;
  }

  async function locked(): Promise<string> {
    const file = join(project.lab.dataDir, 'locked.pem');
    await command('openssl', 'pkey', '-aes256', '-passout', 'pass:secret', '-in', files.key, '-out', file);
    return file;
  }
});
