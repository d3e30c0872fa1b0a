import { join } from 'node:path';
import { auditFolder, AuditLogAdapter } from '../../infra/adapters/audit-log.ts';
import { ownSigner } from '../../infra/keys/signers.ts';
import { backendFolder } from '../../infra/system/backend-folder.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import type { ConsoleTerminal } from './terminal.ts';

/** Returns the project's audit log, signed by a key of the operator's that may. */
export function auditLogOf(
  { app, root, backend, auditLog, keys = [] }: Project,
  {
    folder,
    terminal,
    signal,
  }: { readonly folder: string; readonly terminal: Pick<ConsoleTerminal, 'note'>; readonly signal: AbortSignal },
): AuditLogAdapter {
  const own = keys.filter(({ signs }) => signs.includes('audit'));
  // Who works with a key that is for something else signs no entries.
  const chosen = process.env['LOCKAGE_KEY'];
  const isOthers = own.length === 0 || (isNamed(keys, chosen) && !isNamed(own, chosen));
  const shared = backendFolder(auditLog ?? backend);
  // Another application, another backend, or another place has another log.
  const place = { app, backend, ...(auditLog === undefined ? {} : { auditLog }) };
  return new AuditLogAdapter({
    app,
    folder: auditFolder(shared ?? folder, app),
    isOwn: shared === undefined,
    memory: join(folder, `audit-seen-${fingerprint(place)}.json`),
    ...(isOthers ? {} : { signer: () => ownSigner(own, { root, variables: process.env, signal }) }),
    tell: (text) => terminal.note(text),
  });
}

function isNamed(keys: readonly { readonly name: string }[], chosen: string | undefined): boolean {
  return keys.some(({ name }) => name === chosen);
}
