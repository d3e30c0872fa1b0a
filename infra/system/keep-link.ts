import { randomUUID } from 'node:crypto';
import { readlinkSync, renameSync, symlinkSync } from 'node:fs';

/** Has a link lead to a file or folder. Nobody finds it missing meanwhile, and several may do the same at once. */
export function keepLink(link: string, target: string): void {
  if (targetOf(link) === target) return;
  const draft = `${link}.${randomUUID()}`;
  symlinkSync(target, draft);
  renameSync(draft, link);
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}
