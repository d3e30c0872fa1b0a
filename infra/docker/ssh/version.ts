import { runToEnd } from '../../system/process.ts';

/** A version of OpenSSH: `[9, 2]` for 9.2. */
export type SshVersion = readonly [major: number, minor: number];

let asked: Promise<SshVersion | undefined> | undefined;

/** Returns the version of ssh here, which is asked once; undefined where it does not say. Throws LockageError where there is none. */
export function sshVersion(): Promise<SshVersion | undefined> {
  asked ??= runToEnd('ssh', ['-V'], 10_000).then(({ stdout, stderr }) => versionIn(`${stderr}\n${stdout}`));
  return asked;
}

/** Returns the version in what `ssh -V` says: `OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19`. */
export function versionIn(text: string): SshVersion | undefined {
  const [, major, minor] = /OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

/** Returns whether a version has what came with another one. One that nobody knows has it. */
export function isSince(version: SshVersion | undefined, [major, minor]: SshVersion): boolean {
  if (version === undefined) return true;
  return version[0] > major || (version[0] === major && version[1] >= minor);
}
