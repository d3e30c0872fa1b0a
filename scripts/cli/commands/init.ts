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
    ({ commit }) => commit !== undefined,
    () => false,
  );
  const before = isCommitted ? 'look through lockage.yaml, commit it' : 'look through lockage.yaml';
  print(`next: ${before}, then \`lockage release 0.1.0\``, 'stdout');
  // A release needs no commit, and is worth more with one.
  if (!isCommitted) {
    const first = '`git init && git add --all && git commit -m start`';
    print(`      after ${first}, a release says what it is made of`, 'stdout');
  }
}
