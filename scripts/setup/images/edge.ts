/**
 * The edge proxy's image from a static Caddy and a static busybox: what the official image has that Lockage relies on
 * (a shell, `mv`, `sleep` with fractions, `nc -e`, `timeout`), in a root file system of three folders.
 */
import { existsSync } from 'node:fs';
import { copyFile, chmod, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run, tryRun } from '../../tools/command.ts';
import { ensureCaddy } from '../caddy.ts';
import { importFolder } from './import.ts';

export const edgeRecipe = 'edge-1';

const certificates = '/etc/ssl/certs/ca-certificates.crt';

/** Builds the image `name`; `changes` are Dockerfile instructions added to it. */
export async function buildEdge(
  name: string,
  changes: readonly string[],
  progress: (line: string) => void,
): Promise<void> {
  const caddy = await ensureCaddy(progress);
  const busybox = await staticBusybox();
  const root = await mkdtemp(path.join(tmpdir(), 'lockage-edge-'));
  try {
    await fillRoot(root, caddy, busybox);
    const instructions = [
      'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'ENV XDG_CONFIG_HOME=/config',
      'ENV XDG_DATA_HOME=/data',
      'WORKDIR /srv',
      'EXPOSE 80 443',
      'CMD ["caddy","run","--config","/etc/caddy/Caddyfile","--adapter","caddyfile"]',
      ...changes,
    ];
    await importFolder(root, { name, instructions });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function fillRoot(root: string, caddy: string, busybox: string): Promise<void> {
  for (const folder of ['bin', 'usr/bin', 'etc/caddy', 'etc/ssl/certs', 'config/caddy', 'data/caddy', 'srv', 'run']) {
    await mkdir(path.join(root, folder), { recursive: true });
  }
  await mkdir(path.join(root, 'tmp'));
  await chmod(path.join(root, 'tmp'), 0o1777);
  await copyFile(caddy, path.join(root, 'usr/bin/caddy'));
  await chmod(path.join(root, 'usr/bin/caddy'), 0o755);
  await copyFile(busybox, path.join(root, 'bin/busybox'));
  await chmod(path.join(root, 'bin/busybox'), 0o755);
  for (const applet of (await run([busybox, '--list'])).split('\n')) {
    if (applet && applet !== 'busybox') await symlink('busybox', path.join(root, 'bin', applet));
  }
  await writeFile(
    path.join(root, 'etc/passwd'),
    'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  );
  await writeFile(path.join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  await writeFile(path.join(root, 'etc/caddy/Caddyfile'), ':80 {\n\trespond "no route yet" 503\n}\n');
  if (existsSync(certificates)) await cp(certificates, path.join(root, 'etc/ssl/certs/ca-certificates.crt'));
}

// A busybox that needs shared libraries would not run in an image that has none.
async function staticBusybox(): Promise<string> {
  for (const file of ['/usr/bin/busybox', '/bin/busybox']) {
    // `ldd` fails on a program without any.
    if (existsSync(file) && (await tryRun(['ldd', file])) === undefined) return file;
  }
  throw new Error('there is no static busybox: install the package busybox-static');
}
