/** Whether virtual machines can have this computer's processor for themselves, or have to be emulated. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runToEnd } from '../engine/process.ts';
import { withLock } from '../engine/runtime-folder.ts';

export interface Accelerator {
  readonly name: 'kvm' | 'tcg';
  /** of `tcg`: why it is not KVM */
  readonly why?: string;
}

/** A kernel without a root file system gives up in a second or two; one under a broken KVM never does: ms. */
const probeDeadline = 10_000;
const device = '/dev/kvm';

/** How guests run here. The answer holds until this computer starts again, so it is asked for once and kept in `cache`. */
export async function acceleratorHere(emulator: string, kernel: string, cache: string): Promise<Accelerator> {
  if (!existsSync(device)) return { name: 'tcg', why: `there is no ${device} on this computer` };
  const file = path.join(cache, 'accelerator.json');
  const started = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  await mkdir(cache, { recursive: true, mode: 0o700 });
  return withLock(`${file}.lock`, 3 * probeDeadline, async () => {
    const known = await readKnown(file);
    if (known?.started === started) return known.accelerator;
    const accelerator = await probe(emulator, kernel);
    await writeFile(file, `${JSON.stringify({ started, accelerator })}\n`);
    return accelerator;
  });
}

/** For people: how a machine runs, and why not better. */
export function describeAccelerator({ name, why }: Accelerator): string {
  return name === 'kvm' ? 'with KVM' : `emulated, some ten times slower: ${why ?? 'KVM is not used'}`;
}

/** A guest that is only to fail: it ends at once, as it may not start again. */
async function probe(emulator: string, kernel: string): Promise<Accelerator> {
  const guest = ['-machine', 'pc,accel=kvm', '-cpu', 'host', '-m', '256M', '-no-reboot', '-nodefaults'];
  const quiet = ['-display', 'none', '-monitor', 'none', '-serial', 'none'];
  const start = ['-kernel', kernel, '-append', 'panic=-1'];
  const { code, late, stderr } = await runToEnd(emulator, [...guest, ...quiet, ...start], probeDeadline);
  if (late) return { name: 'tcg', why: `a guest under KVM did nothing for ${probeDeadline / 1000} s` };
  if (code === 0) return { name: 'kvm' };
  const said = (stderr.trim().split('\n').pop() ?? '').replace(/^.*?\.c:\d+: /, '');
  return { name: 'tcg', why: `KVM does not work here: ${said.replace(`${emulator}: `, '') || `exit code ${code}`}` };
}

async function readKnown(file: string): Promise<{ started: string; accelerator: Accelerator } | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  try {
    return JSON.parse(text) as { started: string; accelerator: Accelerator };
  } catch {
    return undefined;
  }
}
