import { realpath } from 'node:fs/promises';
import { messageOf } from '../../../pipelines/errors.ts';
import type { Project } from '../../../pipelines/model/environment.ts';
import { bootUnitName, forgetAtBoot, isEditedAtBoot, runAtBoot } from '../../machines/boot.ts';
import { backendFolder } from '../../system/backend-folder.ts';
import type { Dependencies } from './dependencies.ts';

/** Makes this computer start the machines of the project at every start of its own. A failure is told, and no obstacle. */
export async function startAtBoot({ project, session }: Dependencies): Promise<void> {
  const { app, root } = project;
  const tell = (detail: string) => session.progress({ host: app, step: 'boot', detail });
  try {
    const program = await realpath(process.argv[1] ?? '');
    if (await runAtBoot({ app, root, argv: [process.execPath, program, 'machines', 'start'] })) {
      const advice = isEditedAtBoot(project) ? undefined : bootAdvice(project);
      return advice === undefined ? undefined : tell(advice);
    }
    tell('no systemd here: `lockage machines start` is what a start of this computer has to run');
  } catch (error) {
    tell(`machines are not started with this computer: ${messageOf(error)}`);
  }
}

/**
 * Returns what a start of the computer lacks to read the record of a project: a backend elsewhere is reached with variables
 * of the operator's shell. Undefined where nothing is missing.
 */
export function bootAdvice(project: Pick<Project, 'app' | 'root' | 'backend'>): string | undefined {
  if (backendFolder(project.backend) !== undefined) return undefined;
  return (
    `machines start with this computer once their unit can read ${project.backend}: write the variables that reach it, and ` +
    'PULUMI_CONFIG_PASSPHRASE, into a file that only root reads, and name it with ' +
    `\`systemctl edit ${bootUnitName(project)}\`: [Service], EnvironmentFile=/root/lockage.env`
  );
}

/** Forgets it once no environment of the project has machines. */
export async function forgetUnlessNeeded({ project, records }: Dependencies): Promise<void> {
  const found = await Promise.all(project.environments.map(({ name }) => records.machines(name)));
  if (found.every((recorded) => recorded === undefined)) await forgetAtBoot(project).catch(() => undefined);
}
