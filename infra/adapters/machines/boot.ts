import { realpath } from 'node:fs/promises';
import { messageOf } from '../../../pipelines/errors.ts';
import { forgetAtBoot, runAtBoot } from '../../machines/boot.ts';
import type { Dependencies } from './dependencies.ts';

/** Makes this computer start the machines of the project at every start of its own. A failure is told, and no obstacle. */
export async function startAtBoot({ project, session }: Dependencies): Promise<void> {
  const { app, root } = project;
  const tell = (detail: string) => session.progress({ host: app, step: 'boot', detail });
  try {
    const program = await realpath(process.argv[1] ?? '');
    if (await runAtBoot({ app, root, argv: [process.execPath, program, 'machines', 'start'] })) return;
    tell('no systemd here: `lockage machines start` is what a start of this computer has to run');
  } catch (error) {
    tell(`machines are not started with this computer: ${messageOf(error)}`);
  }
}

/** Forgets it once no environment of the project has machines. */
export async function forgetUnlessNeeded({ project, records }: Dependencies): Promise<void> {
  const found = await Promise.all(project.environments.map(({ name }) => records.machines(name)));
  if (found.every((recorded) => recorded === undefined)) await forgetAtBoot(project).catch(() => undefined);
}
