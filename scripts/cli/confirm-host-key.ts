import type { HostKey } from '../../infra/docker/connections.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { SshHost } from '../../pipelines/model/target.ts';
import { colors } from '../tools/colors.ts';
import { table } from '../tools/format.ts';
import type { CommandContext } from './open-context.ts';

type Contact = Pick<CommandContext, 'connections' | 'terminal'>;

/**
 * Makes sure that a person has confirmed the key of a machine, and before it that of the machine to jump through: now,
 * earlier, or by the fingerprints given. Returns the machine's fingerprint. `--yes` does not answer this.
 * @throws LockageError (refused) if none is confirmed, or another key than the confirmed one is shown.
 */
export async function firstContact(context: Contact, host: SshHost, given: readonly string[]): Promise<string> {
  const { connections, terminal } = context;
  // There are at most two unknown machines, and then the known one.
  for (let contact = 0; contact < 3; contact += 1) {
    const accepted = await connections.acceptedHostKeys(host);
    const { address, keys } = await connections.scanHostKeys(host);
    const known = keys.find(({ fingerprint }) => accepted.includes(fingerprint));
    const wanted = keys.find(({ fingerprint }) => given.includes(fingerprint));
    if (given.length > 0 && !wanted) throw notOffered(host, address, given, keys);
    if (known) return known.fingerprint;
    if (accepted.length > 0) throw otherKey(host, address, accepted, keys);
    const key = wanted ?? keys.find(({ type }) => type === 'ssh-ed25519') ?? keys[0];
    if (!key) break;
    if (!wanted) {
      for (const line of keyLines(address, keys)) terminal.line(line, 'stderr');
      const hint = `Compare it on the console of that machine, then say --host-key ${key.fingerprint}`;
      await terminal.ask(`Is ${key.fingerprint} what \`ssh-keygen -l\` shows on the console of ${address}?`, hint);
    }
    await connections.trustHostKey(host, key.fingerprint);
    terminal.note(`${key.fingerprint} of ${address} is pinned`);
  }
  throw new LockageError(`${host.name}: no host key was confirmed`);
}

function keyLines(address: string, keys: readonly HostKey[]): string[] {
  const rows = keys.map(({ type, fingerprint }) => [`  ${fingerprint}`, type.replace(/^ssh-/, '')]);
  return [`${colors.bold(address)} shows`, ...table(rows)];
}

function otherKey(host: SshHost, address: string, accepted: readonly string[], keys: readonly HostKey[]): LockageError {
  return new LockageError(`${host.name}: ${address} shows another host key than the one accepted before`, {
    details: [...accepted.map((print) => `accepted: ${print}`), ...offered(keys)],
    hint: 'Somebody may be in between. If the machine was reinstalled, remove its line from .lockage/known_hosts first.',
  });
}

function notOffered(host: SshHost, address: string, given: readonly string[], keys: readonly HostKey[]): LockageError {
  return new LockageError(`${host.name}: ${address} does not show the key that was given`, {
    details: [...given.map((print) => `given:    ${print}`), ...offered(keys)],
    hint: 'Compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` run on the console of that machine.',
  });
}

function offered(keys: readonly HostKey[]): string[] {
  return keys.map(({ fingerprint }) => `offered:  ${fingerprint}`);
}
