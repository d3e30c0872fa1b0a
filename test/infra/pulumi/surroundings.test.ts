import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runPulumi } from '../../../infra/pulumi/cli.ts';
import { ensureProject } from '../../../infra/pulumi/project-folder.ts';
import { PulumiStacks } from '../../../infra/pulumi/stacks.ts';
import { listStacks, readStack } from '../../../infra/pulumi/state.ts';
import { Ledger } from '../../../infra/resources/classes.ts';
import { exemptLoopback } from '../../../infra/system/environment.ts';
import { contextIn } from '../../support/context-fixture.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-surroundings-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const settingsIn = (backend: string) => ({ backend, passphrase: 'a passphrase', folder: join(folder, 'pulumi') });

async function emptyFolder(...path: string[]): Promise<string> {
  const made = join(folder, ...path);
  await mkdir(made, { recursive: true });
  return made;
}

test.each(['a%2Fb at 100%', 'größe, c#1 & what?'])(
  'a project in a folder called %j has its state in there, and nowhere else',
  async (name) => {
    const state = await emptyFolder(name, 'state');
    const settings = settingsIn(pathToFileURL(state).href);
    await writeFile(join(await emptyFolder('pulumi'), 'Pulumi.yaml'), 'name: trial\nruntime: nodejs\n');
    const made = await runPulumi(settings, ['stack', 'init', 'prod']);
    expect(made.code, made.stderr).toBe(0);
    expect(existsSync(join(state, '.pulumi/stacks/trial/prod.json'))).toBe(true);
    expect(await readStack(settings, 'trial', 'prod')).toBeDefined();
    expect((await readdir(folder)).sort()).toEqual([name, 'pulumi'].sort());
  },
);

test.each(['GZIP', 'ZSTD'])(
  'a state that a user’s own Pulumi wrote with %s is read, listed, and written as ours',
  async (way) => {
    const settings = settingsIn(pathToFileURL(await emptyFolder('state')).href);
    await ensureProject(settings.folder, 'trial');
    const pulumi = async (words: string, env: Record<string, string> = {}) => {
      const done = await runPulumi(settings, ['stack', ...words.split(' ')], { env });
      expect(done.code, done.stderr).toBe(0);
    };
    const file = join(folder, 'prod.json');
    const files = async () =>
      (await readdir(join(folder, 'state/.pulumi/stacks/trial'))).filter((name) => !name.endsWith('.bak'));
    await pulumi('init prod', { [`PULUMI_DIY_BACKEND_${way}`]: 'true' });
    expect(await files()).toEqual([expect.stringMatching(/^prod\.json\.(gz|zst)$/)]);
    expect(await listStacks(settings, 'trial')).toEqual(['prod']);
    expect(await readStack(settings, 'trial', 'prod')).toMatchObject({ resources: [] });
    expect(await readStack(settings, 'trial', 'qa')).toBeUndefined();
    await pulumi(`export --stack prod --file ${file}`);
    await pulumi(`import --stack prod --file ${file}`);
    expect(await files()).toEqual(['prod.json']);
    expect(await readStack(settings, 'trial', 'prod')).toMatchObject({ resources: [] });
  },
);

test('what Pulumi’s processes say to each other goes to no web proxy', async () => {
  for (const name of ['https_proxy', 'http_proxy', 'grpc_proxy']) vi.stubEnv(name, 'http://127.0.0.1:9');
  vi.stubEnv('no_proxy', '');
  const settings = settingsIn(pathToFileURL(await emptyFolder('state')).href);
  const program = async () => void new Ledger({ app: 'trial', environment: 'prod', revisions: '[]' });
  await new PulumiStacks(settings, 'trial').up('prod', program, contextIn(folder), { message: 'trial' });
  const types = (await readStack(settings, 'trial', 'prod'))?.resources.map(({ type }) => type);
  expect(types).toContain('lockage:index:Ledger');
});

test('hosts that are reached without a proxy stay so', () => {
  const variables: NodeJS.ProcessEnv = { no_proxy: '.example.com' };
  exemptLoopback(variables);
  exemptLoopback(variables);
  expect(variables).toEqual({ no_proxy: '.example.com', no_grpc_proxy: '.example.com,127.0.0.1,localhost,::1' });
});
