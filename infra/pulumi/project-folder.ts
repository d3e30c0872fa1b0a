import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomic } from '../system/atomic-file.ts';

/**
 * Makes a folder the Pulumi project of that name, and creates it where it is missing. Pulumi also looks for a project in the folders
 * above: in a new clone it would find none, or that of somebody who has one of their own there, and read the stacks of that.
 */
export async function ensureProject(folder: string, project: string): Promise<void> {
  const file = join(folder, 'Pulumi.yaml');
  // As the Automation API writes it.
  const text = `name: ${project}\nruntime: nodejs\n`;
  if ((await readFile(file, 'utf8').catch(() => '')) !== text) await writeAtomic(file, text);
}
