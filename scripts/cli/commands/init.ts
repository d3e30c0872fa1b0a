import { currentEngine } from '../../project/current-engine.ts';
import { init } from '../../project/init.ts';
import { readGitTree } from '../../tools/git.ts';
import { print } from '../terminal.ts';

/** Runs `lockage init`. */
export async function initCommand(flags: { app?: string; force?: boolean }): Promise<void> {
  const cwd = process.cwd();
  const created = await init({ cwd, app: flags.app, force: flags.force, engine: await currentEngine() });
  for (const path of created) print(`created ${path}`, 'stdout');
  const isCommitted = await readGitTree(cwd).then(
    () => true,
    () => false,
  );
  const commit = isCommitted ? 'commit it' : '`git init && git add --all && git commit -m start`';
  print(`next: look through lockage.yaml, ${commit}, then \`lockage release 0.1.0\``, 'stdout');
}
