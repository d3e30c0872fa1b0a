/** The keys and the ssh server of a lab's hosts: one identity for the lab, one host key for each host. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../tools/command.ts';

/** Returns the private key that logs in to every ssh host of the lab. */
export function identityFile(dataDir: string): string {
  return path.join(dataDir, 'ssh', 'id_ed25519');
}

/** Returns a known_hosts file with the hosts of the lab, for plain `ssh` and `docker -H ssh://…`. */
export function knownHostsFile(dataDir: string): string {
  return path.join(dataDir, 'ssh', 'known_hosts');
}

/** Makes the lab's identity. */
export async function createIdentity(dataDir: string, name: string): Promise<void> {
  await mkdir(path.join(dataDir, 'ssh'), { recursive: true, mode: 0o700 });
  await makeKey(identityFile(dataDir), `lab ${name}`);
}

/** Returns the configuration of the ssh server of a host, which has this folder. */
export function sshConfig(folder: string): string {
  return path.join(folder, 'ssh', 'sshd_config');
}

/** Makes a host's key and its server's configuration; returns the key's fingerprint and its known_hosts line. */
export async function prepareSshServer(
  dataDir: string,
  host: { readonly name: string; readonly address: string },
): Promise<{ fingerprint: string; knownHost: string }> {
  const folder = path.join(dataDir, 'hosts', host.name, 'ssh');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const key = path.join(folder, 'host_key');
  await makeKey(key, host.name);
  const keys = path.join(folder, 'authorized_keys');
  await writeFile(keys, await readFile(`${identityFile(dataDir)}.pub`), { mode: 0o600 });
  // Accounts of the machine must not be able to log in to a lab host, and a locked root must not keep the lab out.
  await writeFile(path.join(folder, 'shadow'), 'root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n', {
    mode: 0o600,
  });
  const config = sshConfig(path.join(dataDir, 'hosts', host.name));
  const lines = [
    'Port 22',
    `ListenAddress ${host.address}`,
    `HostKey ${key}`,
    `AuthorizedKeysFile ${keys}`,
    'PidFile /run/sshd.pid',
    // The lab's folder may be below /tmp, which everybody may write to.
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'AllowStreamLocalForwarding yes',
    'AllowTcpForwarding yes',
    'PrintMotd no',
    'MaxStartups 100',
    'MaxSessions 100',
    'Subsystem sftp internal-sftp',
  ];
  await writeFile(config, `${lines.join('\n')}\n`, { mode: 0o600 });
  const [type = '', blob = ''] = (await readFile(`${key}.pub`, 'utf8')).split(' ');
  return { fingerprint: fingerprintOf(blob), knownHost: `${host.address} ${type} ${blob}` };
}

/** Makes the host key of a machine that has an ssh server of its own; returns its fingerprint. */
export async function prepareHostKey(file: string, comment: string): Promise<string> {
  await makeKey(file, comment);
  return fingerprintOf((await readFile(`${file}.pub`, 'utf8')).split(' ')[1] ?? '');
}

function fingerprintOf(blob: string): string {
  const hash = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64');
  return `SHA256:${hash.replace(/=+$/, '')}`;
}

async function makeKey(file: string, comment: string): Promise<void> {
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
}
