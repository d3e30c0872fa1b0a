import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imagePackages } from '../../scripts/project/image-packages.ts';
import { command } from '../support/engine-fixture.ts';
import { buildTime, goProgram } from '../support/go-program.ts';

const version = '1.20.0';
const signal = new AbortController().signal;
const path = process.env['PATH'] ?? '';
let folder: string;
let image: string;

beforeAll(async () => {
  const syft = await goProgram('syft', 'github.com/anchore/syft/cmd/syft', version, 'main.version');
  folder = await mkdtemp(join(tmpdir(), 'lockage-syft-'));
  await symlink(syft, join(folder, 'syft'));
  // A kind of package that only syft reads here, and one that both do.
  const gem = 'Gem::Specification.new do |s|\n  s.name = "rack".freeze\n  s.version = "3.1.8"\nend\n';
  await writeFile(join(folder, 'rack-3.1.8.gemspec'), gem);
  await writeFile(join(folder, 'package.json'), '{"name":"left-pad","version":"1.3.0"}');
  const lines = [
    'FROM scratch',
    'COPY rack-3.1.8.gemspec /usr/lib/ruby/gems/3.1.0/specifications/',
    'COPY package.json /app/node_modules/left-pad/',
    'CMD ["/none"]',
  ];
  await writeFile(join(folder, 'Dockerfile'), lines.join('\n'));
  image = (await command('docker', 'build', '--quiet', folder)).trim();
}, buildTime);

afterAll(async () => {
  process.env['PATH'] = path;
  if (image) await command('docker', 'image', 'rm', image);
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function found(first: string) {
  process.env['PATH'] = [first, path].filter((each) => each !== '').join(delimiter);
  const told: string[] = [];
  const read = await imagePackages([image], { signal, tell: (text) => told.push(text) });
  return { tool: read?.tool, purls: read?.packages.map(({ purl }) => purl), told };
}

test('syft tells what is in an image, where it is installed', async () => {
  expect(await found(folder)).toEqual({
    tool: { name: 'syft', version },
    purls: ['pkg:gem/rack@3.1.8', 'pkg:npm/left-pad@1.3.0'],
    told: [],
  });
});

test('a syft that fails is told of, and what is in the image is read without it', async () => {
  const broken = join(folder, 'broken');
  await command('mkdir', broken);
  await writeFile(join(broken, 'syft'), '#!/bin/sh\necho no such source >&2\nexit 1\n', { mode: 0o755 });
  const { tool, purls, told } = await found(broken);
  expect([tool, purls]).toEqual([{ name: 'lockage' }, ['pkg:npm/left-pad@1.3.0']]);
  expect(told).toEqual([expect.stringContaining('without syft')]);
});
