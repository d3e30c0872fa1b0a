/** The accelerator of virtual machines: whether they run on this computer's processor, or have to be emulated. */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomic } from '../system/atomic-file.ts';
import { withFileLock } from '../system/file-lock.ts';
import { runToEnd } from '../system/process.ts';

export interface Accelerator {
  readonly name: 'kvm' | 'tcg';
  /** for `tcg`: the reason why it is not KVM */
  readonly why?: string;
}

/** The answer known for this computer since its start `started`. */
interface Known {
  readonly started: string;
  readonly accelerator: Accelerator;
  /** for an answer that may change: when to ask again, in milliseconds of the clock */
  readonly until?: number;
}

/**
 * Milliseconds for which an uncertain answer is kept, so that all machines of a command share it: a busy computer
 * answers late.
 */
const uncertainLife = 10 * 60_000;

/**
 * Milliseconds for a guest to end: a kernel without a root file system gives up in a second or two, under a broken KVM
 * never.
 */
const probeDeadline = 10_000;
const device = '/dev/kvm';

/**
 * Returns how guests run here. A certain answer holds until this computer restarts, so it is found once and kept in
 * `cache`; one that came late, or from a lack of memory, is kept for some minutes.
 */
export async function acceleratorHere(emulator: string, kernel: string, cache: string): Promise<Accelerator> {
  if (!existsSync(device)) return { name: 'tcg', why: `there is no ${device} on this computer` };
  const file = path.join(cache, 'accelerator.json');
  const started = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  await mkdir(cache, { recursive: true, mode: 0o700 });
  return withFileLock(`${file}.lock`, 3 * probeDeadline, async () => {
    const known = await readKnown(file);
    if (known?.started === started && Date.now() < (known.until ?? Infinity)) return known.accelerator;
    const { sure, ...accelerator } = await probeKvm(emulator, kernel);
    const now: Known = { started, accelerator, ...(sure ? {} : { until: Date.now() + uncertainLife }) };
    await writeAtomic(file, `${JSON.stringify(now)}\n`);
    return accelerator;
  });
}

/** Describes to people how a machine runs, and why not faster. */
export function describeAccelerator({ name, why }: Accelerator): string {
  return name === 'kvm' ? 'with KVM' : `emulated, some ten times slower: ${why ?? 'KVM is not used'}`;
}

/** Starts a guest that is meant to fail: it ends at once, as it may not start again. */
async function probeKvm(emulator: string, kernel: string): Promise<Accelerator & { readonly sure: boolean }> {
  const guest = ['-machine', 'pc,accel=kvm', '-cpu', 'host', '-m', '256M', '-no-reboot', '-nodefaults'];
  const quiet = ['-display', 'none', '-monitor', 'none', '-serial', 'none'];
  const start = ['-kernel', kernel, '-append', 'panic=-1'];
  const { code, late, stderr } = await runToEnd(emulator, [...guest, ...quiet, ...start], probeDeadline);
  if (late) return { name: 'tcg', why: `a guest under KVM did nothing for ${probeDeadline / 1000} s`, sure: false };
  if (code === 0) return { name: 'kvm', sure: true };
  const message = (stderr.trim().split('\n').pop() ?? '').replace(/^.*?\.c:\d+: /, '').replace(`${emulator}: `, '');
  // A guest that the kernel killed for its memory had no time to print anything.
  const sure = message !== '' && !stderr.includes('Cannot allocate memory');
  return { name: 'tcg', why: `KVM does not work here: ${message || `exit code ${code}`}`, sure };
}

async function readKnown(file: string): Promise<Known | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  try {
    return JSON.parse(text) as Known;
  } catch {
    return undefined;
  }
}
