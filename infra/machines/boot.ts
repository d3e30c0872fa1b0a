/** What starts the machines of a project again when their computer starts: a unit of systemd, where that is what starts it. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { writeAtomic } from '../system/atomic-file.ts';
import { runProgram } from '../system/run-program.ts';

/** A command of Lockage that is to run at every start of the computer. */
export interface BootCommand {
  readonly app: string;
  /** the project's folder */
  readonly root: string;
  /** the program and its arguments */
  readonly argv: readonly string[];
}

const units = '/etc/systemd/system';
const runsSystemd = () => existsSync('/run/systemd/system');

/** Returns the name of a project's unit: two clones of one application have two. */
export function bootUnitName({ app, root }: Pick<BootCommand, 'app' | 'root'>): string {
  return `lockage-machines-${app}-${fingerprint(root)}.service`;
}

/** Returns the unit, as systemd.service(5) describes it. */
export function bootUnit({ app, root, argv }: BootCommand): string {
  return `${[
    '[Unit]',
    `Description=Lockage: the machines of ${app}`,
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    // They outlive the command that starts them, also when the unit is stopped.
    'KillMode=process',
    `WorkingDirectory=${escaped(root)}`,
    `ExecStart=${argv.map(quoted).join(' ')}`,
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ].join('\n')}\n`;
}

/** Makes the computer run the command at every start. Returns false where no systemd starts it. */
export async function runAtBoot(command: BootCommand): Promise<boolean> {
  if (!runsSystemd()) return false;
  const name = bootUnitName(command);
  await writeAtomic(path.join(units, name), bootUnit(command), { mode: 0o644 });
  await runProgram(['systemctl', 'daemon-reload']);
  await runProgram(['systemctl', 'enable', '--quiet', name]);
  return true;
}

/** Returns whether somebody has added settings of their own to a project's unit, as `systemctl edit` does. */
export function isEditedAtBoot(project: Pick<BootCommand, 'app' | 'root'>): boolean {
  return existsSync(path.join(units, `${bootUnitName(project)}.d`));
}

/** Forgets it. What runs goes on. */
export async function forgetAtBoot(project: Pick<BootCommand, 'app' | 'root'>): Promise<void> {
  const name = bootUnitName(project);
  if (!runsSystemd() || !existsSync(path.join(units, name))) return;
  await runProgram(['systemctl', 'disable', '--quiet', name]);
  await rm(path.join(units, name), { force: true });
  await runProgram(['systemctl', 'daemon-reload']);
}

/** Escapes percent signs, which begin a specifier. */
function escaped(text: string): string {
  return text.replaceAll('%', '%%');
}

/** Quotes a word. A dollar sign begins a variable, in quotes as well. */
function quoted(word: string): string {
  return `"${escaped(word).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '$$$$')}"`;
}
