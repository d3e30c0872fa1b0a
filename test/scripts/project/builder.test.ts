import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RegistryClient } from '../../../infra/registry/client.ts';
import { RegistryWriter } from '../../../infra/registry/writer.ts';
import type { Project } from '../../../pipelines/model/environment.ts';
import { DockerBuilder } from '../../../scripts/project/builder.ts';
import { readGitTree } from '../../../scripts/tools/git.ts';
import { mustRun } from '../../../scripts/tools/shell.ts';

let base: string;
let repo: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'lockage-builder-'));
  repo = join(base, 'repo');
  for (const [file, text] of [
    ['shop/Dockerfile', 'FROM scratch\n'],
    ['shop/lockage.yaml', 'app: shop\n'],
    ['other/main.ts', 'one\n'],
  ] as const) {
    mkdirSync(dirname(join(repo, file)), { recursive: true });
    await writeFile(join(repo, file), text);
  }
  vi.stubEnv('GIT_CONFIG_GLOBAL', '/dev/null');
  vi.stubEnv('GIT_CONFIG_NOSYSTEM', '1');
  git('init', '--quiet');
  git('add', '--all');
  git('-c', 'user.name=t', '-c', 'user.email=t@example.com', 'commit', '--quiet', '--message', 'A change');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(base, { recursive: true, force: true });
});

const git = (...words: string[]) => execFileSync('git', ['-C', repo, ...words], { encoding: 'utf8' }).trim();

/** A builder with a Docker CLI that does as the script says, after it wrote down what it was asked. */
async function builderWith(script: string): Promise<{ builder: DockerBuilder; asked: () => string[] }> {
  const log = join(base, 'asked');
  const program = join(base, 'bin/docker');
  mkdirSync(dirname(program), { recursive: true });
  await writeFile(program, `#!/bin/sh\necho "$*" >> ${log}\n${script}\n`);
  chmodSync(program, 0o755);
  vi.stubEnv('PATH', `${dirname(program)}${delimiter}${process.env['PATH']}`);
  const build = { context: '.', dockerfile: 'Dockerfile', args: {} };
  const project = { root: join(repo, 'shop'), repository: 'r.example.com/shop', build } as unknown as Project;
  const terminal = { step: () => undefined, detail: () => undefined } as never;
  const { signal } = new AbortController();
  const builder = new DockerBuilder({
    ...{ project, registry: new RegistryClient(), writer: new RegistryWriter() },
    ...{ terminal, signal },
  });
  const asked = () => readFileSync(log, 'utf8').trim().split('\n');
  return { builder, asked };
}

describe('a build', () => {
  test('gets its version once the image is there, under a name that no other image has', async () => {
    const { builder, asked } = await builderWith('echo linux/amd64');
    await builder.build('1.0.0', { commit: git('rev-parse', 'HEAD') }, { a: 'b' });
    const [build = '', ...rest] = asked();
    const tag = /--tag (r\.example\.com\/shop:building-[0-9a-f]{12}) --label a=b/.exec(build)?.[1];
    expect(rest).toEqual([
      `image inspect --format {{.Os}}/{{.Architecture}} ${tag}`,
      `image tag ${tag} r.example.com/shop:1.0.0`,
      `image rm --no-prune ${tag}`,
    ]);
  });

  test('whose builder keeps the image to itself is refused, whatever older image has that version', async () => {
    const { builder, asked } = await builderWith(
      'case "$*" in *building-*) [ "$1" = build ] || { echo "No such image" >&2; exit 1; };; esac',
    );
    const building = builder.build('1.0.0', { commit: git('rev-parse', 'HEAD') }, {});
    await expect(building).rejects.toMatchObject({
      message: 'the builder has built r.example.com/shop:1.0.0 and not given it to the Docker Engine',
      hint: expect.stringContaining('BUILDX_BUILDER'),
    });
    expect(asked().some((line) => /^(push|image tag)/.test(line))).toBe(false);
  });
});

test('the tag of a version is given back where its repository lies today, by the manifest as it is', async () => {
  const digest = `sha256:${'b'.repeat(64)}` as const;
  const manifest = { digest, mediaType: 'application/json', bytes: Buffer.from('{}') };
  const registry = {
    locate: async (repository: string) => ({ repository: repository.replace('r.example.com', '127.0.0.1:5001') }),
    manifest: async (...of: string[]) => (of.join('@') === `r.example.com/shop@${digest}` ? manifest : undefined),
  };
  const put: unknown[] = [];
  const writer = { putManifest: async (...values: unknown[]) => void put.push(values) };
  const builder = new DockerBuilder({ registry, writer } as never);
  await builder.restoreTag({ repository: 'r.example.com/shop', version: '1.4.0', digest });
  expect(put).toEqual([['127.0.0.1:5001/shop', '1.4.0', manifest]]);
});

describe('changes that are not committed', () => {
  const changes = async (file: string) => {
    await writeFile(join(repo, file), 'two\n');
    const { builder } = await builderWith('true');
    return (await builder.tree()).changes;
  };

  test.each(['other/main.ts', 'left-by-ci.txt', 'shop/../.npmrc'])(
    'elsewhere in the repository (%s) are not in the way',
    async (file) => {
      expect(await changes(file)).toEqual([]);
    },
  );

  test.each(['shop/Dockerfile', 'shop/lockage.yaml', 'shop/new.txt'])('to what is built (%s) count', async (file) => {
    expect(await changes(file)).toHaveLength(1);
  });
});

test.runIf(process.getuid?.() === 0)('a clone of another user is named with what git wants to be told', async () => {
  await chown(repo, 4343, 4343);
  await chown(join(repo, '.git'), 4343, 4343);
  await expect(readGitTree(join(repo, 'shop'))).rejects.toMatchObject({
    message: `git does not trust ${join(repo, 'shop')}, which belongs to another user`,
    hint: expect.stringContaining(`safe.directory ${repo}`),
  });
});

test('programs start where there is no bash, and get their words as they are', async () => {
  const folder = join(base, 'programs');
  mkdirSync(folder);
  for (const name of ['printf', 'ps'])
    symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(folder, name));
  vi.stubEnv('PATH', folder);
  const words = ["it's", '$HOME `id` "x"', 'two\nlines', '', 'größe\\n'];
  expect(await mustRun('print', ['printf', '%s|', ...words])).toBe(`${words.join('|')}|`);
});
