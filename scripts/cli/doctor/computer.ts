import { existsSync } from 'node:fs';
import { addressOf } from '../../../infra/system/look-up.ts';
import { homeFolder, isListedUser, isWritable, temporaryRoot } from '../../../infra/system/this-user.ts';
import { runtimeFolder } from '../../../infra/system/runtime-folder.ts';
import type { Environment, Project } from '../../../pipelines/model/environment.ts';
import { isSshHost } from '../../../pipelines/model/target.ts';
import { readGitTree } from '../../tools/git.ts';
import { bad, checking, good, warning, type Check } from '../check.ts';

/** Checks the user of this process, and the folders that its variables name. */
export async function userChecks(projectNeedsSsh: boolean): Promise<Check[]> {
  const checks = await Promise.all([
    checking('user', async () => userCheck(projectNeedsSsh)),
    checking('home', async () => homeCheck()),
    checking('tmp', async () => temporaryCheck()),
    checking('sockets', async () => {
      await runtimeFolder();
      return [];
    }),
  ]);
  return checks.flat();
}

function userCheck(projectNeedsSsh: boolean): Check | Check[] {
  if (isListedUser()) return [];
  const text = `/etc/passwd does not know the user ${process.getuid?.() ?? ''}`;
  return projectNeedsSsh
    ? bad(
        'user',
        `${text}, and ssh works only for one it knows`,
        'In a container, leave `--user` out, or mount a passwd file with a line for it.',
      )
    : warning('user', text, 'Set LOCKAGE_ACTOR to the name that records are to have.');
}

function homeCheck(): Check | Check[] {
  const home = homeFolder();
  if (existsSync(home) && isWritable(home)) return [];
  const hint = 'Set HOME, or LOCKAGE_CACHE for what set-up made, and DOCKER_CONFIG for the login to registries.';
  return warning('home', `${home} cannot be written`, hint);
}

function temporaryCheck(): Check | Check[] {
  const given = process.env['TMPDIR'];
  const used = temporaryRoot();
  if (given === undefined || given === used) return [];
  return warning(
    'tmp',
    `TMPDIR names ${given || 'nothing'}, where nothing can be written; ${used} is used`,
    'Set or unset TMPDIR.',
  );
}

/** Checks whether git reads the project: in a CI the files may be of another user. */
export async function gitChecks({ root, build }: Project): Promise<readonly Check[]> {
  return checking('git', async () => {
    const { commit } = await readGitTree(root, [build.context]);
    return commit === undefined ? [] : good('git', `commit ${commit.slice(0, 12)}`);
  });
}

/** Says what an environment's hosts are reached by, and which of their addresses are names that only ssh knows. */
export async function sshConfigChecks({ sshConfig, hosts }: Environment): Promise<Check[]> {
  const reached = hosts.filter(isSshHost);
  if (sshConfig === undefined || reached.length === 0) return [];
  const file = sshConfig === true ? '~/.ssh/config' : sshConfig;
  const unknown = await Promise.all(
    reached.map(async ({ name, address }) => {
      const isKnown = await addressOf(address).then(
        () => true,
        () => false,
      );
      const text = `no name server knows ${address}, at which published ports are reached`;
      return isKnown
        ? []
        : [warning(name, text, `Write \`address\` of ${name}: an alias of an ssh_config is for ssh alone.`)];
    }),
  );
  return [good('ssh', `hosts are reached as ${file} says`), ...unknown.flat()];
}
