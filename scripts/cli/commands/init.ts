import { init } from '../../project/init.ts';
import { print } from '../terminal.ts';

/** Runs `lockage init`. */
export async function initCommand(flags: { app?: string; force?: boolean }): Promise<void> {
  const created = await init({ cwd: process.cwd(), app: flags.app, force: flags.force });
  for (const path of created) print(`created ${path}`, 'stdout');
  print('next: look through lockage.yaml, then `lockage doctor` and `lockage release 0.1.0`', 'stdout');
}
