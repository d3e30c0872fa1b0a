import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { downloadPulumi, isReachable } from '../../../scripts/setup/download.ts';

const name = `pulumi-v9.9.9-${process.platform}-${process.arch}.tar.gz`;
const folder = mkdtempSync(join(tmpdir(), 'lockage-download-'));
let archive: Buffer;
let sums: string;
let server: Server;
let releases: string;

beforeAll(async () => {
  mkdirSync(join(folder, 'pulumi'));
  writeFileSync(join(folder, 'pulumi', 'pulumi'), '#!/bin/sh\necho v9.9.9\n', { mode: 0o755 });
  expect(spawnSync('tar', ['-czf', join(folder, name), '-C', folder, 'pulumi']).status).toBe(0);
  archive = readFileSync(join(folder, name));
  server = createServer((request, response) => {
    if (request.url === '/sdk/pulumi-9.9.9-checksums.txt') response.end(sums);
    else if (request.url === `/sdk/${name}`) response.end(archive);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  releases = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function sumOf(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

test('an official release with the right sum is unpacked under its name', async () => {
  sums = `${sumOf('other')}  pulumi-v9.9.9-plan9-x64.tar.gz\n${sumOf(archive)}  ${name}\n`;
  const target = join(folder, 'bin', 'pulumi-9.9.9');
  expect(await downloadPulumi('9.9.9', target, releases)).toBe(true);
  expect(spawnSync(join(target, 'pulumi'), { encoding: 'utf8' }).stdout).toBe('v9.9.9\n');
  expect(readdirSync(join(folder, 'bin'))).toEqual(['pulumi-9.9.9']);
});

test('a release with another sum is an error and leaves nothing behind', async () => {
  sums = `${sumOf('what was published')}  ${name}\n`;
  const bin = join(folder, 'bad');
  await expect(downloadPulumi('9.9.9', join(bin, 'pulumi-9.9.9'), releases)).rejects.toThrow(sumOf(archive));
  expect(readdirSync(bin)).toEqual([]);
});

test('a list of sums without an end is not read', async () => {
  sums = `${' '.repeat(2 ** 20)}\n${sumOf(archive)}  ${name}\n`;
  expect(await downloadPulumi('9.9.9', join(folder, 'none', 'pulumi-9.9.9'), releases)).toBe(false);
});

test('no release for this machine, or no server, is a plain no', async () => {
  sums = `${sumOf(archive)}  pulumi-v9.9.9-plan9-x64.tar.gz\n`;
  const target = join(folder, 'none', 'pulumi-9.9.9');
  expect(await downloadPulumi('9.9.9', target, releases)).toBe(false);
  expect(await downloadPulumi('8.8.8', target, releases)).toBe(false);
  expect(await downloadPulumi('9.9.9', target, 'http://127.0.0.1:1')).toBe(false);
  expect(await isReachable('http://127.0.0.1:1/sdk')).toBe(false);
});
