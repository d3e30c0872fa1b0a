import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { pulumiHome } from '../../../infra/pulumi/find-pulumi.ts';
import { toolVersions } from '../../../infra/system/tool-versions.ts';
import type { Project } from '../../../pipelines/model/environment.ts';
import type { GitHub } from '../../../pipelines/model/integrations.ts';
import { promoteWorkflow, releaseWorkflow, workflowNotes, workflowsOf } from '../../../scripts/project/workflows.ts';
import { workflowProblems } from '../../support/github/workflow-schema.ts';
import { environment, host } from '../../pipelines/model/values.ts';

const github: GitHub = {
  ...{ owner: 'acme', name: 'shop', baseUrl: 'https://api.github.com', urls: {}, releases: true },
  approvers: { prod: [{ login: 'anna', id: 11 }] },
};
const project = (changes: Partial<Project> = {}): Project => ({
  ...{ app: 'shop', root: '/shop', backend: 's3://state', repository: 'ghcr.io/acme/shop', edgeImage: 'caddy:2' },
  build: { context: '.', dockerfile: 'Dockerfile', args: {} },
  insecureRegistries: [],
  environments: [
    environment({ name: 'dev', after: [], secrets: { DB: { env: 'DB_PASSWORD' }, KEY: { file: 'key' } } }),
    environment({ name: 'prod', after: ['dev'], hosts: [host('prod-1')] }),
  ],
  integrations: { hooks: { timeout: 1000 }, notifications: [], github },
  ...changes,
});
const { github: _, ...withoutGitHub } = project().integrations ?? { hooks: { timeout: 1 }, notifications: [] };

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly concurrency?: object;
  readonly 'timeout-minutes'?: number;
  readonly steps?: readonly { readonly run?: string }[];
}

const read = (text = '') =>
  parse(text) as { readonly permissions: object; readonly jobs: Readonly<Record<string, Job>> };

const kinds: [string, Project, string?][] = [
  ['with all of it', project()],
  ['of a folder', project(), 'services/the shop'],
  ['on Google', project({ backend: 'gs://state', repository: 'europe-docker.pkg.dev/acme/shop' })],
  ['that only deploys', project({ integrations: withoutGitHub })],
  [
    'as `init` writes it',
    project({ backend: 'file:///shop/.lockage', repository: 'embedded.lockage.internal/shop-1' }),
  ],
];

describe.each(kinds)('the workflows of a project %s', (_what, of, folder) => {
  const files = Object.entries(workflowsOf(of, folder));
  const jobs = files.flatMap(([, text]) => Object.entries(read(text).jobs));

  test.each(files)('%s is one by GitHub’s own schema', async (name, content) => {
    expect(await workflowProblems(name, content)).toEqual([]);
    expect(await workflowProblems(name, content.replace('contents:', 'content:'))).not.toEqual([]);
    expect(
      await workflowProblems(name, content.replaceAll('inputs.', 'input.').replace('runs-on', 'run-on')),
    ).not.toEqual([]);
  });

  test('may nothing but what each job says', () => {
    for (const [, text] of files) expect(read(text).permissions).toEqual({});
    for (const [, job] of jobs) expect(job.permissions).toBeDefined();
  });

  test('name each action by a commit, and its version behind it', () => {
    const used = files.flatMap(([, text]) => text.match(/(?<![a-z])uses: (?!\.\/).*/g) ?? []);
    expect(used.length).toBeGreaterThan(3);
    for (const line of used) expect(line).toMatch(/^uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test('run for no pull request, so that nobody outside gets a secret or a token', () => {
    for (const [, text] of files) {
      const { on } = parse(text) as { readonly on: object };
      const events = Object.keys(on);
      expect(events.filter((event) => !['push', 'workflow_dispatch', 'workflow_call'].includes(event))).toEqual([]);
      if ('push' in on) expect(on.push).toEqual({ tags: expect.any(Array) });
    }
  });

  test('run one at a time for an environment, and end none that runs', () => {
    const own = jobs.filter(([, job]) => job.steps);
    expect(own).toHaveLength(2);
    for (const [, job] of own) {
      expect(job.concurrency).toEqual({ group: expect.stringMatching(/^lockage-/), 'cancel-in-progress': false });
      expect(job['timeout-minutes']).toBeGreaterThan(0);
    }
  });

  test('let nothing that somebody writes on GitHub into a shell', () => {
    for (const [, job] of jobs) for (const step of job.steps ?? []) expect(step.run ?? '').not.toContain('${{');
  });
});

test.each(['release', 'promote', '1', '1e3', '007', 'null', 'on', 'true'])(
  'the environment %s has workflows, too',
  async (name) => {
    const files = workflowsOf(project({ environments: [environment({ name, after: [] })] }));
    for (const [file, text] of Object.entries(files)) expect(await workflowProblems(file, text)).toEqual([]);
    const { jobs } = parse(files[releaseWorkflow] ?? '') as { readonly jobs: Readonly<Record<string, object>> };
    expect(Object.values(jobs)).toContainEqual(expect.objectContaining({ with: { environment: name } }));
    const { on } = parse(files[promoteWorkflow] ?? '') as { readonly on: object };
    expect(on).toMatchObject({ workflow_dispatch: { inputs: { environment: { options: [name] } } } });
  },
);

describe('permissions', () => {
  const permissionsOf = (of: Project) => {
    const { jobs } = read(workflowsOf(of)[promoteWorkflow]);
    return jobs['promote']?.permissions;
  };

  test('are those that the configuration needs', () => {
    expect(permissionsOf(project())).toEqual({
      ...{ contents: 'read', deployments: 'write', statuses: 'write', actions: 'read' },
      ...{ 'pull-requests': 'read', packages: 'read', 'id-token': 'write' },
    });
    const plain = project({ integrations: withoutGitHub, backend: 'https://state', repository: 'r.example.com/shop' });
    expect(permissionsOf(plain)).toEqual({ contents: 'read' });
  });
});

test('secrets that the configuration reads from variables come from GitHub’s', () => {
  const text = workflowsOf(project())[promoteWorkflow] ?? '';
  expect(text).toContain('DB_PASSWORD: ${{ secrets.DB_PASSWORD }}');
  expect(workflowsOf(project())[releaseWorkflow]).not.toContain('DB_PASSWORD');
  const notifications = [{ url: { env: 'CHAT' }, format: 'slack' as const, on: [] }];
  const told = workflowsOf(project({ integrations: { hooks: { timeout: 1000 }, notifications } }));
  for (const content of Object.values(told)) expect(content).toContain('CHAT: ${{ secrets.CHAT }}');
});

test('what a workflow cannot reach is said', () => {
  expect(workflowNotes(project())).toEqual([]);
  const local = project({ backend: 'file:///shop/.lockage', repository: 'embedded.lockage.internal/shop-1' });
  expect(workflowNotes(local)).toHaveLength(2);
});

describe('the step for Pulumi’s Docker plugin', () => {
  const steps = read(workflowsOf(project())[promoteWorkflow]).jobs['promote']?.steps ?? [];
  const script = steps.find(({ run = '' }) => run.includes('plugin install'))?.run ?? '';
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'lockage-step-'));
    await writeFile(join(home, 'pulumi'), '#!/bin/sh\necho "$PULUMI_HOME $*"\n', { mode: 0o755 });
  });
  afterEach(() => rm(home, { recursive: true }));

  const run = (env: Readonly<Record<string, string>>) =>
    spawnSync('bash', ['-e', '-c', script], {
      env: { PATH: `${home}:/usr/bin:/bin`, HOME: home, ...env },
      encoding: 'utf8',
    });

  test.each([
    [{}, '.cache/lockage'],
    [{ XDG_CACHE_HOME: '/tmp/cache' }, '/tmp/cache/lockage'],
    [{ LOCKAGE_CACHE: '/tmp/ours', XDG_CACHE_HOME: '/tmp/cache' }, '/tmp/ours'],
  ])('installs it where Lockage looks, with %j', (env, folder) => {
    const { status, stdout } = run(env);
    const asked = `${resolve(home, folder)}/pulumi-home plugin install resource docker ${toolVersions.dockerPlugin}\n`;
    expect([status, stdout]).toEqual([0, asked]);
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    vi.stubEnv('HOME', home);
    if (!('XDG_CACHE_HOME' in env)) vi.stubEnv('XDG_CACHE_HOME', undefined);
    if (!('LOCKAGE_CACHE' in env)) vi.stubEnv('LOCKAGE_CACHE', undefined);
    expect(`${pulumiHome()} `).toBe(`${asked.split(' ')[0]} `);
    vi.unstubAllEnvs();
  });

  test('does nothing where it is', async () => {
    const plugins = join(home, '.cache/lockage/pulumi-home/plugins');
    await mkdir(join(plugins, `resource-docker-v${toolVersions.dockerPlugin}`), { recursive: true });
    expect([run({}).status, run({}).stdout]).toEqual([0, '']);
  });
});
