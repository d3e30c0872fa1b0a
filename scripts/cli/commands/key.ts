import { keyFolder, makeKey } from '../../../infra/keys/key-folder.ts';
import { isAtHand } from '../../../infra/keys/signers.ts';
import { namePattern, nameRule } from '../../../pipelines/config/schema/names.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import type { KeyType } from '../../../pipelines/model/public-key.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { print } from '../terminal.ts';
import { keyLines, newKeyLines, type ListedKey } from '../views/keys.ts';

/** Runs `lockage key new`, which needs no project. */
export async function keyNewCommand(name: string, { type, json }: Flags & { type: KeyType }): Promise<void> {
  if (!namePattern.test(name)) {
    throw new LockageError(`${JSON.stringify(name)} is no name of a key`, { hint: `It takes ${nameRule}.` });
  }
  const { file, publicKey } = await makeKey(name, type);
  const made = { name, file, ...publicKey };
  if (json) print(JSON.stringify(made, null, 2), 'stdout');
  else for (const line of newKeyLines(made)) print(line, 'stdout');
}

/** Runs `lockage key ls`. */
export async function keyListCommand(flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand({ ...flags, keyless: true }, signal, async ({ project, terminal }) => {
    const context = { root: project.root, variables: process.env, signal };
    const keys = await Promise.all(
      (project.keys ?? []).map(async (key): Promise<ListedKey> => ({ ...key, atHand: await isAtHand(key, context) })),
    );
    terminal.result({ keys, folder: keyFolder() }, keyLines(keys));
  });
}
