import { requireDockerPlugin, requirePulumi } from '../../../infra/pulumi/find-pulumi.ts';
import { runToEnd } from '../../../infra/system/process.ts';
import { isListedUser } from '../../../infra/system/this-user.ts';
import { toolVersions } from '../../../infra/system/tool-versions.ts';
import { oldNode } from '../../setup/node-version.mjs';
import { bad, checking, good, warning, type Check } from '../check.ts';
import { userChecks } from './computer.ts';

/** Checks this machine: the programs that Lockage works with. */
export async function machineChecks(projectNeedsSsh: boolean): Promise<Check[]> {
  const checks = await Promise.all([
    checking('node', async () => nodeCheck(process.versions.node)),
    checking('pulumi', checkPulumi),
    checking('pulumi', dockerPluginCheck),
    checking('docker', () =>
      checkProgram('docker', ['--version'], 'needed to build images, and by projects without a `repository`'),
    ),
    checking('git', () => checkProgram('git', ['--version'], 'only `lockage release` needs it, to name the commit')),
    ...(projectNeedsSsh && isListedUser() ? [checking('ssh', () => checkProgram('ssh', ['-V']))] : []),
    userChecks(projectNeedsSsh),
  ]);
  return checks.flat();
}

/** Checks that this Node is new enough. */
export function nodeCheck(version: string): Check {
  const problem = oldNode(version);
  return problem === undefined ? good('node', version) : bad('node', problem);
}

async function checkPulumi(): Promise<Check> {
  const { path } = await requirePulumi();
  return good('pulumi', `${await versionOf(path, ['version'])} at ${path}`);
}

async function dockerPluginCheck(): Promise<Check> {
  requireDockerPlugin();
  return good('pulumi', `Docker plugin ${toolVersions.dockerPlugin}`);
}

/** Checks a program of this machine. One that only some commands need is worth a warning. */
async function checkProgram(name: string, argv: readonly string[], onlyFor?: string): Promise<Check> {
  try {
    return good(name, await versionOf(name, argv));
  } catch {
    return onlyFor
      ? warning(name, `is not installed: ${onlyFor}`)
      : bad(name, 'is not installed', 'Install the OpenSSH client.');
  }
}

async function versionOf(file: string, argv: readonly string[]): Promise<string> {
  const { stdout, stderr } = await runToEnd(file, argv, 10_000);
  const [line = ''] = (stdout || stderr).trim().split('\n');
  return line.replace(/^(Docker|git) version |^v(?=\d)/, '').replace(/, build.*|, OpenSSL.*/, '');
}
