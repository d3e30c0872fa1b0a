import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockageError } from '../../../pipelines/errors.ts';
import type { SshAddress } from '../../../pipelines/model/endpoint.ts';
import type { SshHost } from '../../../pipelines/model/target.ts';
import { writeAtomic } from '../../system/atomic-file.ts';
import { withFileLock } from '../../system/file-lock.ts';
import { runToEnd } from '../../system/process.ts';
import { runtimeFolder } from '../../system/runtime-folder.ts';
import { knownHostsName, userHostPort, type SshTarget } from '../address.ts';
import { keyReadingArguments as keyReading } from './arguments.ts';
import { HostKeyChangedError, HostKeyUnknownError, sshFailure, strangerBetween, type HostKey } from './errors.ts';
import { plainFiles } from './plain-path.ts';
import { retryDropped } from './retry.ts';
import { runSsh } from './run.ts';

/**
 * The host keys that this project accepts, in a known_hosts file of its own. A key gets in by the fingerprint in the
 * configuration or one that a person confirmed, never because it was the first to be seen.
 */
export class HostKeys {
  readonly file: string;
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = stateDir;
    this.file = join(stateDir, 'known_hosts');
  }

  /**
   * Makes sure that the file holds the key to expect of the host, and of the machine to jump through. Throws
   * HostKeyUnknownError on first contact, HostKeyChangedError if the key written as hostKey is not offered,
   * LockageError if the machine cannot be reached.
   */
  async ensure(host: SshHost): Promise<void> {
    const target = host.endpoint;
    if (target.jump && (await this.#known(target.jump)).length === 0) {
      throw new HostKeyUnknownError(host, target.jump, await this.#scan(host, target.jump));
    }
    const known = (await this.#known(target)).map(({ fingerprint }) => fingerprint);
    const pinned = host.endpoint.hostKey;
    if (pinned === undefined ? known.length > 0 : known.length === 1 && known[0] === pinned) return;

    const offered = await this.#scan(host, target, pinned);
    if (pinned === undefined) throw new HostKeyUnknownError(host, target, offered);
    const match = offered.find(({ fingerprint }) => fingerprint === pinned);
    if (!match) throw new HostKeyChangedError(host, target, [pinned], offered, this.file);
    await this.#accept(target, match);
  }

  /** Returns the keys offered now: by the machine to jump through while its key is not known, else by the host. */
  async scan(host: SshHost): Promise<{ address: string; keys: HostKey[] }> {
    const address = await this.#undecided(host);
    return { address: userHostPort(address), keys: await this.#scan(host, address) };
  }

  /** Returns the fingerprints accepted for the machine that `scan` asks. */
  async accepted(host: SshHost): Promise<string[]> {
    return (await this.#known(await this.#undecided(host))).map(({ fingerprint }) => fingerprint);
  }

  /**
   * Accepts the key with this fingerprint for the machine that `scan` asked. Throws LockageError if it is not offered.
   */
  async trust(host: SshHost, fingerprint: string): Promise<void> {
    const address = await this.#undecided(host);
    const offered = await this.#scan(host, address, fingerprint);
    const match = offered.find((key) => key.fingerprint === fingerprint);
    if (!match) throw new HostKeyChangedError(host, address, [fingerprint], offered, this.file);
    await this.#accept(address, match);
  }

  /** Returns the error for a key that ssh refused, with what was accepted and what is offered now. */
  async changed(host: SshHost): Promise<LockageError> {
    const target = host.endpoint;
    for (const address of target.jump ? [target.jump, target] : [target]) {
      const known = (await this.#known(address)).map(({ fingerprint }) => fingerprint);
      const offered = await this.#scan(host, address, known[0]);
      const same = offered.some(({ fingerprint }) => known.includes(fingerprint));
      if (!same) return new HostKeyChangedError(host, address, known, offered, this.file);
    }
    return new LockageError(`${host.name}: ssh refused the host key of ${userHostPort(target)}`);
  }

  async #undecided(host: SshHost): Promise<SshAddress> {
    const target = host.endpoint;
    return target.jump && (await this.#known(target.jump)).length === 0 ? target.jump : target;
  }

  async #known(address: SshAddress): Promise<HostKey[]> {
    const text = await readFile(this.file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    return parseKeys(text, knownHostsName(address));
  }

  async #scan(host: SshHost, address: SshAddress, wanted?: string): Promise<HostKey[]> {
    const { jump } = host.endpoint;
    const behindJump = jump !== undefined && userHostPort(address) !== userHostPort(jump);
    // ssh-keyscan cannot jump, reads no ssh_config, and does not say why a machine is silent; ssh does, at the price of a
    // failed login.
    const scanned = behindJump || host.endpoint.config !== undefined ? [] : await keyscan(address);
    // It asks for all types at once, of which a busy sshd drops some: a missing one may exist all the same.
    const enough =
      wanted === undefined ? scanned.length > 0 : scanned.some(({ fingerprint }) => fingerprint === wanted);
    return enough
      ? scanned
      : this.#readBySsh(host, behindJump ? host.endpoint : { ...address, jump: undefined }, wanted);
  }

  /**
   * Reads host keys with ssh itself, which writes each to a file that nothing else reads: one type at a time, until
   * one is found, or the wanted one.
   */
  async #readBySsh(host: SshHost, target: SshTarget, wanted: string | undefined): Promise<HostKey[]> {
    const plain = await plainFiles(host, this.file);
    const folder = await mkdtemp(join(await runtimeFolder(), 'keys-'));
    const keys: HostKey[] = [];
    try {
      for (const algorithms of ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512,rsa-sha2-256']) {
        const note = join(folder, algorithms);
        const reading = keyReading(plain, target, note, algorithms);
        const called = `ssh to ${host.name}`;
        const { stderr, late } = await retryDropped(() => runSsh(reading, 30_000, { called }));
        keys.push(...parseKeys(await readFile(note, 'utf8').catch(() => '')));
        const done = wanted === undefined ? keys.length > 0 : keys.some(({ fingerprint }) => fingerprint === wanted);
        if (done) break;
        const otherType = keys.length > 0 || /no matching host key type/.test(stderr);
        if (otherType) continue;
        if (!isKeyRefusal(stderr)) throw sshFailure(host, target, stderr, late);
        // Of the host any key is taken here: it is a machine that the ssh_config leads through.
        const isBetween = host.endpoint.config !== undefined && target.jump === undefined;
        throw isBetween ? strangerBetween(host, stderr) : await this.changed(host);
      }
      if (keys.length === 0) throw sshFailure(host, target, 'it offers no usable host key', false);
      return keys;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Replaces the lines of that address. Nobody sees the file half written, and no two processes write it at once. */
  async #accept(address: SshAddress, key: HostKey): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await withFileLock(`${this.file}.lock`, 10_000, async () => {
      const name = knownHostsName(address);
      const text = await readFile(this.file, 'utf8').catch(() => '');
      const others = text.split('\n').filter((line) => line !== '' && line.split(' ')[0] !== name);
      await writeAtomic(this.file, [...others, `${name} ${key.type} ${key.base64}`, ''].join('\n'));
    });
  }
}

/** Returns whether the output has ssh's words for a host key that is not the known one. */
export function isKeyRefusal(output: string): boolean {
  return /HOST IDENTIFICATION HAS CHANGED|Host key verification failed/.test(output);
}

async function keyscan({ host, port }: SshAddress): Promise<HostKey[]> {
  const args = ['-T', '10', '-p', String(port), '-t', 'ed25519,ecdsa,rsa', '--', host];
  return parseKeys((await runToEnd('ssh-keyscan', args, 30_000)).stdout);
}

/** Returns the keys in the lines of a known_hosts file: those of one name, or all. */
function parseKeys(text: string, name?: string): HostKey[] {
  return text.split('\n').flatMap((line) => {
    const [host, type, base64] = line.trim().split(/\s+/);
    if (host === undefined || host.startsWith('#') || type === undefined || base64 === undefined) return [];
    if (name !== undefined && host !== name) return [];
    const hash = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64');
    return [{ type, base64, fingerprint: `SHA256:${hash.replace(/=+$/, '')}` }];
  });
}
