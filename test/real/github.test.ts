import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { command } from '../support/engine-fixture.ts';
import { GitHubDouble } from '../support/github/double.ts';
import { runJob, type RanJob } from '../support/github/runner.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

const token = 'ghs_canary_of_the_workflow';
const secret = 'canary-that-signs-messages';
const promote = '.github/workflows/promote.yml';
const release = '.github/workflows/release.yml';

describe.runIf(labsWork)('on GitHub', () => {
  let project: TestProject;
  let github: GitHubDouble;
  let server: Server;
  const heard: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];

  const write = async (name: string, content: string, mode = 0o644) => {
    const file = join(project.folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    await chmod(file, mode);
  };
  const git = (...words: string[]) =>
    command('git', '-C', project.folder, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...words);
  const commit = async (message: string) => {
    await git('add', '--all');
    await git('commit', '--quiet', '--message', message);
    const id = await git('rev-parse', 'HEAD');
    github.commits.push(id);
    return id;
  };
  /** Runs a job of a workflow, started at a tag. */
  const start = (file: string, job: string, tag: string, environment = 'dev'): Promise<RanJob> =>
    runJob(join(project.folder, file), job, {
      checkout: project.folder,
      contexts: {
        'github.ref_type': tag.startsWith('v') ? 'tag' : 'branch',
        'github.actor': 'anna',
        'github.token': token,
        'inputs.environment': environment,
        'secrets.LOCKAGE_PASSPHRASE': 'canary-passphrase',
        'secrets.HOOK_SECRET': secret,
      },
      env: {
        ...process.env,
        ...project.env,
        GITHUB_REF_NAME: tag,
        GITHUB_SERVER_URL: 'https://github.example.com',
        GITHUB_REPOSITORY: 'acme/shop',
        GITHUB_RUN_ID: '77',
      },
    });
  const env = { PULUMI_CONFIG_PASSPHRASE: 'canary-passphrase', HOOK_SECRET: secret, GITHUB_TOKEN: token };
  const run = (...words: string[]) => project.start(words, env).ended;

  beforeAll(async () => {
    github = await GitHubDouble.start();
    github.tokens.add(token);
    server = createServer((request, response) => {
      void text(request).then((body) => {
        heard.push({ headers: request.headers, body });
        response.end();
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const environments = { dev: { hosts: 1, reach: 'unix' }, prod: { hosts: 1, reach: 'unix' } } as const;
    project = await TestProject.open({ app: 'small-app', environments, layers: false });
    const { registry } = project.lab;
    await project.configure({
      build: { context: 'app', args: { BASE: `${registry}/lockage-base/edge` } },
      github: {
        repository: 'acme/shop',
        baseUrl: github.url,
        releases: true,
        urls: { dev: 'https://dev.example.com' },
      },
      notifications: [
        { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, secret: { env: 'HOOK_SECRET' } },
      ],
    });
    // The package as a dependency of the project, as a folder of this computer instead of a registry.
    await write(
      'tool/package.json',
      '{ "name": "lockage", "version": "0.1.0", "type": "module", "bin": "lockage.mjs" }',
    );
    const program = process.env['LOCKAGE_TEST_CLI'] ?? join(packageRoot(), 'dist', 'lockage.mjs');
    await write('tool/lockage.mjs', `#!/usr/bin/env node\nawait import('${program}');\n`, 0o755);
    await write('package.json', '{ "private": true, "dependencies": { "lockage": "file:tool" } }');
    await write('.gitignore', '.lockage/\nnode_modules/\ntold\n');
    await write(
      'hooks/pre-deploy',
      '#!/bin/sh\necho "$LOCKAGE_HOOK $LOCKAGE_VERSION" >> told\ntest ! -e refuse\n',
      0o755,
    );
    await write('hooks/post-deploy', '#!/bin/sh\necho "$LOCKAGE_HOOK $LOCKAGE_COMMAND" >> told\nexit 1\n', 0o755);
    await command('npm', 'install', '--prefix', project.folder, '--package-lock-only', '--ignore-scripts');
    await git('init', '--quiet');
    await commit('A shop');
  }, setupTime);

  afterAll(async () => {
    await project?.remove();
    await github?.stop();
    server?.closeAllConnections();
    server?.close();
  });

  test('the workflows that `init --github` writes release a tag, and promote it', async () => {
    const written = await run('init', '--github');
    expect(written).toMatchObject({ code: 0, stdout: expect.stringContaining(`created ${promote}`) });
    expect((await run('init', '--github')).code).toBe(2);
    const first = await commit('Workflows');

    const released = await start(release, 'release', 'v1.0.0');
    expect(released).toMatchObject({ code: 0 });
    expect(released.used.map((each) => each.split('@')[0])).toEqual([
      ...['actions/checkout', 'actions/setup-node', 'docker/login-action'],
    ]);
    expect(github.releases).toMatchObject([{ tag_name: 'v1.0.0', target_commitish: first }]);

    expect(await start(promote, 'promote', 'main')).toMatchObject({ code: 2 });
    const promoted = await start(promote, 'promote', 'v1.0.0');
    expect(promoted).toMatchObject({ code: 0 });
    expect(promoted.output).toContain('hooks/post-deploy ended with 1');
    expect(await project.versions('dev')).toHaveLength(1);
    expect(await readFile(join(project.folder, 'told'), 'utf8')).toBe('pre-deploy 1.0.0\npost-deploy promote\n');
    expect(github.deployments).toMatchObject([
      {
        sha: first,
        environment: 'dev',
        states: [
          { state: 'success', environment_url: 'https://dev.example.com', log_url: expect.stringMatching(/runs\/77$/) },
          { state: 'in_progress' },
        ],
      },
    ]);
    expect(github.statuses.at(-1)).toMatchObject({ sha: first, state: 'success', context: 'lockage/dev' });
    expect(`${released.output}${promoted.output}${JSON.stringify(heard)}`).not.toContain('canary');
  });

  test('who is notified can tell that it comes from here', () => {
    expect(heard.map(({ body }) => JSON.parse(body).event)).toEqual(['released', 'promoted']);
    const [, { headers, body } = { headers: {}, body: '' }] = heard;
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', secret).update(signed).digest('base64')}`);
    expect(JSON.parse(body)).toMatchObject({ environment: 'dev', version: '1.0.0', revision: 1, actor: 'anna@github' });
  });

  test('a hook that says no leaves all as it was, unless hooks are left out', async () => {
    await write('app/behaviour.json', '{"version":"1.1.0"}\n');
    await commit('A change <for> @everyone');
    expect(await run('release', '1.1.0')).toMatchObject({ code: 0 });
    expect(github.releases.at(-1)?.['body']).toContain('A change &lt;for&gt; @&#8203;everyone');
    await write('refuse', '');
    const before = await project.snapshot('dev');
    const refused = await run('promote', '1.1.0', '--to', 'dev', '--yes');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('hooks/pre-deploy ended with 1') });
    expect(await project.snapshot('dev')).toEqual(before);
    expect(github.statuses.at(-1)).toMatchObject({ state: 'pending', context: 'lockage/dev' });
    expect(await run('promote', '1.1.0', '--to', 'dev', '--yes', '--skip-hooks')).toMatchObject({ code: 0 });
    await rm(join(project.folder, 'refuse'));
    expect(github.states('dev')).toEqual(['success', 'inactive']);
  });

  test('a rollback needs neither GitHub nor who is notified', async () => {
    expect(github.violations).toEqual([]);
    await github.stop();
    server.closeAllConnections();
    server.close();
    const back = await run('rollback', 'dev', '--yes', '--json');
    expect(back).toMatchObject({ code: 0, json: { outcome: 'rolled back', trafficBack: expect.any(Number) } });
    expect(back.stderr).toContain('GitHub was not told: GitHub cannot be reached (connect ECONNREFUSED');
    expect(back.stderr).toContain('notification 1 of lockage.yaml: cannot be reached (ECONNREFUSED)');
    expect(back.took).toBeLessThan(30_000);
  });
});
