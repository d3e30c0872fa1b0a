import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

/** An image as somebody has it, and what becomes of it: it runs, or is refused or fails with one line that names a key. */
interface Kind {
  readonly what: string;
  readonly dockerfile: string;
  /** exit code of the promotion, and what it says */
  readonly ends?: readonly [code: number, said: RegExp];
  /** what the plan says */
  readonly plans?: RegExp;
}

const serve = 'exec httpd -f -p 8080 -h /www';
const base = (user = '1000') => `ARG BASE\nFROM \${BASE}\nCOPY www /www\n${user ? `USER ${user}\n` : ''}`;
const runs = (command: string) => `${base()}CMD ["sh", "-c", ${JSON.stringify(`${command} && ${serve}`)}]`;

const kinds: readonly Kind[] = [
  { what: 'a shell form CMD', dockerfile: `${base()}CMD httpd -f -p 8080 -h /www` },
  {
    what: 'no shell, and nothing but its program',
    dockerfile:
      'FROM scratch\nCOPY httpd /httpd\nCOPY www /www\nUSER 1000\nCMD ["/httpd", "-f", "-p", "8080", "-h", "/www"]',
  },
  { what: 'port 80 besides', dockerfile: runs('httpd -p 80 -h /www') },
  { what: 'shared memory', dockerfile: runs('head -c 8000000 /dev/zero > /dev/shm/buffer') },
  { what: 'a HEALTHCHECK that fails', dockerfile: `${runs('true')}\nHEALTHCHECK --interval=1s CMD false` },
  { what: 'a STOPSIGNAL', dockerfile: `${runs('true')}\nSTOPSIGNAL SIGQUIT` },
  {
    what: 'a VOLUME',
    dockerfile: `${base('')}VOLUME /data\nUSER 1000\nCMD httpd -f -p 8080 -h /www`,
    plans: /what web writes to \/data \(a VOLUME of its image\) goes with its container/,
  },
  { what: 'files in /tmp', dockerfile: runs('echo 1 > /tmp/app.pid') },
  {
    what: 'files in /run',
    dockerfile: runs('echo 1 > /run/app.pid'),
    ends: [3, /its files are read-only: name the folder in `hardening.tmpfs` of web/],
  },
  {
    what: 'files in /var/cache',
    dockerfile: runs('mkdir -p /var/cache/app'),
    ends: [3, /its files are read-only: name the folder in `hardening.tmpfs` of web/],
  },
  {
    what: 'root, who gives folders away at the start',
    dockerfile: `${base('')}CMD ["sh", "-c", "chown 1000 /tmp && ${serve}"]`,
    ends: [2, /runs as root[\s\S]*set hardening.user; hardening.allowRoot opens it/],
  },
  {
    what: 'an init of its own',
    dockerfile: runs('{ [ $$ = 1 ] || { echo "s6-overlay-suexec: fatal: can only run as pid 1"; exit 100; }; }'),
    ends: [3, /has to be process 1 in place of Docker's: set `init` of web to false/],
  },
  {
    what: 'an entrypoint without execute permission',
    dockerfile: `${base('')}COPY start.sh /start.sh\nUSER 1000\nENTRYPOINT ["/start.sh"]`,
    ends: [3, /has no execute permission in the image.*`command` of web/],
  },
  {
    what: 'nothing to run',
    dockerfile: `FROM scratch\nCOPY www /www\nUSER 1000`,
    ends: [2, /does not say what to run[\s\S]*set `command` of the role/],
  },
];

describe.runIf(labsWork)('an image with', () => {
  let project: TestProject;
  let owned = 0;
  const web = { port: 8080, publish: 8000, health: { path: '/', timeout: '5s' }, stop: '1s' };
  const repository = () => `${project.lab.registry}/trial`;
  const version = (kind: Kind) => `1.${kinds.indexOf(kind)}.0`;

  beforeAll(async () => {
    project = await TestProject.open({ app: 'small-app', environments: { prod: { hosts: 1, reach: 'unix' } } });
    await project.configure({ roles: { web }, watch: '0s', standby: 0 });
    await Promise.all(kinds.map((kind) => build(kind)));
    for (const kind of kinds) {
      const image = `${repository()}:kind-${kinds.indexOf(kind)}`;
      await project.succeed('release', version(kind), '--image', image);
    }
  }, setupTime);

  afterAll(async () => project?.remove());

  /** Fills a folder with all that the images are made of. */
  async function fill(folder: string): Promise<void> {
    await mkdir(join(folder, 'www'), { recursive: true });
    await writeFile(join(folder, 'www/index.html'), 'here\n');
    await writeFile(join(folder, 'start.sh'), `#!/bin/sh\n${serve}\n`, { mode: 0o644 });
    await cp('/bin/busybox', join(folder, 'httpd'));
  }

  const statusOf = (url: string) =>
    fetch(url, { headers: { connection: 'close' } }).then(
      ({ status }) => status,
      () => 0,
    );

  async function build(kind: Kind): Promise<void> {
    const folder = await mkdtemp(join(project.folder, '..', 'kind-'));
    await fill(folder);
    await writeFile(join(folder, 'Dockerfile'), `${kind.dockerfile}\n`);
    const image = `${repository()}:kind-${kinds.indexOf(kind)}`;
    const given = kind.dockerfile.startsWith('ARG')
      ? ['--build-arg', `BASE=${project.lab.registry}/lockage-base/edge`]
      : [];
    await project.docker('build', '--quiet', ...given, '--tag', image, folder);
    await project.docker('push', '--quiet', image);
  }

  test.each(kinds)('$what runs, or one line says what it wants', async (kind) => {
    if (kind.plans) {
      const { stdout, stderr } = await project.run('promote', version(kind), '--to', 'prod', '--plan');
      expect(stdout + stderr).toMatch(kind.plans);
    }
    const { code, stderr } = await project.promote(version(kind), 'prod');
    const [wanted, said] = kind.ends ?? [0, /.*/];
    expect([kind.what, code], stderr).toEqual([kind.what, wanted]);
    expect(stderr).toMatch(said);
    if (wanted !== 0) return;
    const [url = ''] = project.urls('prod');
    expect(await (await fetch(url, { headers: { connection: 'close' } })).text()).toBe('here\n');
    // What was promoted before is gone, with the volumes that its image declared.
    const volumes = await project.engine('prod-1').listVolumes({ 'lockage.environment': 'prod' });
    expect(volumes.filter(({ Name }) => /^[0-9a-f]{64}$/.test(Name))).toHaveLength(kind.plans ? 1 : 0);
  });

  test.each([
    ['by number', 'USER 1000', {}],
    ['that its configuration has by number', 'USER 1000', { user: '1234' }],
    ['by name', 'COPY passwd /etc/passwd\nUSER app', {}],
    ['that its configuration has by name', 'COPY passwd /etc/passwd\nUSER 1000', { user: 'app' }],
  ])('a user %s writes to folders of root that are in memory', async (_, lines, user) => {
    const folder = await mkdtemp(join(project.folder, '..', 'kind-'));
    await fill(folder);
    await writeFile(join(folder, 'passwd'), 'root:x:0:0::/:/bin/sh\napp:x:1234:1234::/:/bin/sh\n');
    const command = `echo 1 > /tmp/page && echo 1 > /run/app.pid && echo 1 > /www/cache/page && ${serve}`;
    await mkdir(join(folder, 'www/cache'));
    const start = `CMD ["sh", "-c", ${JSON.stringify(command)}]`;
    await writeFile(join(folder, 'Dockerfile'), `${base('')}${lines}\n${start}\n`);
    owned += 1;
    const image = `${repository()}:owned-${owned}`;
    const given = ['--build-arg', `BASE=${project.lab.registry}/lockage-base/edge`];
    await project.docker('build', '--quiet', ...given, '--tag', image, folder);
    await project.docker('push', '--quiet', image);
    const hardening = { tmpfs: { '/run': '1MiB', '/www/cache': '1MiB' }, ...user };
    await project.configure({ roles: { web: { ...web, hardening } }, watch: '0s', standby: 0 });
    await project.succeed('release', `1.100.${owned}`, '--image', image);
    const { code, stderr } = await project.promote(`1.100.${owned}`, 'prod');
    expect(code, stderr).toBe(0);
    const drift = await project.run('drift', 'prod');
    expect(drift.code, drift.stdout).toBe(0);

    const labels = { 'lockage.release': `1.100.${owned}`, 'lockage.part': 'release' };
    const [made] = await project.engine('prod-1').listContainers({ labels });
    await project.engine('prod-1').restartContainer(made?.Id ?? '', 1000);
    const [url = ''] = project.urls('prod');
    await expect.poll(() => statusOf(url), { timeout: 20_000 }).toBe(200);
  });

  test('several platforms is built, pushed and recorded as one, and each host runs its own', async () => {
    const app = join(project.folder, 'app');
    await rm(app, { recursive: true });
    await fill(app);
    await writeFile(join(app, 'Dockerfile'), `${kinds[1]?.dockerfile}\n`);
    await project.configure({
      ...{ roles: { web }, watch: '0s', standby: 0 },
      build: { context: 'app', platforms: ['linux/amd64', 'linux/arm64'] },
    });
    const { json } = await project.succeed('release', '2.0.0');
    const { digest, platform, platforms } = json.release;
    expect(platform).toBe('linux/amd64');
    expect(Object.keys(platforms)).toEqual(['linux/amd64', 'linux/arm64']);
    const list: any = await (
      await fetch(`http://${repository().replace('/trial', '/v2/trial')}/manifests/${digest}`, {
        headers: {
          accept: 'application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json',
        },
      })
    ).json();
    const entries = list.manifests.map((each: any) => [
      `${each.platform.os}/${each.platform.architecture}`,
      each.digest,
    ]);
    expect(Object.fromEntries(entries)).toEqual(platforms);

    await project.succeed('promote', '2.0.0', '--to', 'prod');
    const [found] = await project.engine('prod-1').listContainers({ labels: { 'lockage.release': '2.0.0' } });
    expect(found?.Labels['lockage.digest']).toBe(digest);
    expect(await project.engine('prod-1').inspectImage(found?.ImageID ?? '')).toMatchObject({ Architecture: 'amd64' });

    const adopted = await project.succeed('release', '2.0.1', '--image', `${repository()}@${digest}`);
    expect(adopted.json.release).toMatchObject({ digest, platforms });
    await project.configure({ build: { context: 'app', platforms: ['linux/arm64', 'linux/riscv64'] } });
    const missing = await project.run('release', '2.1.0', '--image', `${repository()}@${digest}`, '--json');
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('has no image for linux/riscv64')]);
    await project.succeed('release', '2.2.0', '--allow-dirty');
    const before = await project.snapshot('prod');
    const refused = await project.promote('2.2.0', 'prod');
    expect([refused.code, refused.stderr], refused.stderr).toEqual([
      2,
      expect.stringContaining('was built for linux/arm64, linux/riscv64'),
    ]);
    expect(await project.snapshot('prod')).toEqual(before);
  });
});
