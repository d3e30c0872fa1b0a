import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { currentEngine } from '../../project/current-engine.ts';
import { init } from '../../project/init.ts';
import { initWorkflows } from '../../project/init-workflows.ts';
import { hasGitFolder, readGitTree } from '../../tools/git.ts';
import { print } from '../terminal.ts';

/** Runs `lockage init`. */
export async function initCommand(flags: { app?: string; force?: boolean; github?: boolean }): Promise<void> {
  const cwd = process.cwd();
  if (flags.github && existsSync(join(cwd, 'lockage.yaml'))) return writeWorkflows(cwd, flags.force);
  const created = await init({ cwd, app: flags.app, force: flags.force, engine: await currentEngine() });
  for (const path of created) print(`created ${path}`, 'stdout');
  if (flags.github) await writeWorkflows(cwd, flags.force);
  const isCommitted = await readGitTree(cwd).then(
    ({ commit }) => commit !== undefined,
    () => false,
  );
  const before = isCommitted ? 'look through lockage.yaml, commit it' : 'look through lockage.yaml';
  print(`next: ${before}, then \`lockage release 0.1.0\``, 'stdout');
  // A release needs no commit, and is worth more with one.
  if (!isCommitted) {
    // One inside another would hide the files from that.
    const begin = (await hasGitFolder(cwd)) ? '' : 'git init && ';
    print(`      after \`${begin}git add --all && git commit -m start\`, a release says what it is made of`, 'stdout');
  }
}

/** Writes the workflows alone: the configuration is there. */
async function writeWorkflows(cwd: string, force = false): Promise<void> {
  const { files, notes } = await initWorkflows(cwd, force);
  for (const path of files) print(`created ${path}`, 'stdout');
  for (const note of notes) print(`before they work: ${note}`, 'stdout');
  print('next: the secrets and variables that they name, as docs/github.md lists them', 'stdout');
}
