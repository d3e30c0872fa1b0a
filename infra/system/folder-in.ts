import { join } from 'node:path';

/** Names of the configuration and what is joined of them: no dot and no slash, so one such name is one step down. */
const pattern = /^[a-z0-9](?:[a-z0-9-]{0,126}[a-z0-9])?$/;

/**
 * Returns the path below a folder that these names lead to, each one a step. What was recorded, or came in a message, is not believed:
 * an Error is thrown for a name that could lead anywhere else.
 */
export function folderIn(folder: string, ...names: readonly string[]): string {
  const wrong = names.find((name) => !pattern.test(name));
  if (wrong !== undefined) throw new Error(`${JSON.stringify(wrong)} is not a name, and no path is made of it`);
  return join(folder, ...names);
}
