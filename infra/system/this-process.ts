import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/** The identity of a process, which no other has as long as it lives. */
export interface ProcessIdentity {
  readonly machine: string;
  readonly pid: number;
  /** where `pid` is valid: a boot of a computer, and a pid namespace */
  readonly pidSpace: string;
}

/** Returns the identity of this process. A hostname is not enough: cloned computers and containers share one. */
export async function thisProcess(): Promise<ProcessIdentity> {
  return { machine: hostname(), pid: process.pid, pidSpace: await pidSpace() };
}

async function pidSpace(): Promise<string> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()} ${await readlink('/proc/self/ns/pid')}`;
  } catch {
    // Other systems have no such files: there, the hostname decides alone.
    return process.platform;
  }
}
