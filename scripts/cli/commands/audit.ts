import { judgeAudit, operationsOf, type KeptLine } from '../../../pipelines/inspection/audit.ts';
import { LockageError, messageOf } from '../../../pipelines/errors.ts';
import { isHead, parseLine, type AuditEntry, type MissingHead } from '../../../pipelines/model/audit-entry.ts';
import { acceptLog } from '../../../pipelines/operations/accept-log.ts';
import { ExitCode } from '../exit-codes.ts';
import type { CommandContext } from '../open-context.ts';
import { countOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { auditLines, csvLines, reportLines } from '../views/audit.ts';

/** Runs `lockage audit`. */
export async function auditCommand(
  flags: Flags & { readonly env?: string; readonly limit: string },
  signal: AbortSignal,
): Promise<void> {
  const limit = countOf(flags.limit, '-n');
  await runCommand({ ...flags, keyless: true, about: flags.env }, signal, async (context) => {
    const entries = readable(await keptLines(context));
    const all = operationsOf(entries).filter(({ entry }) => flags.env === undefined || entry.environment === flags.env);
    const shown = all.slice(-limit).reverse();
    context.terminal.result(
      { operations: shown, older: all.length - shown.length },
      auditLines(shown, all.length, context.now()),
    );
  });
}

/** Runs `lockage audit verify`. */
export async function auditVerifyCommand(
  flags: Flags & { readonly offline?: boolean },
  signal: AbortSignal,
): Promise<void> {
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const { anchors, silent } = await anchorsOf(context, flags.offline ?? false);
    const report = judgeAudit(await keptLines(context), {
      app: context.project.app,
      anchors,
      keys: context.project.keys ?? [],
    });
    const { isShared } = context.audit;
    if (!isShared)
      context.terminal.note(`only what this computer did is in this log: \`auditLog\` names a folder for all`);
    context.terminal.result({ ...report, silent, isShared }, reportLines(report, silent));
    if (report.problems.length > 0) process.exitCode = ExitCode.partial;
  });
}

/** Runs `lockage audit export`. */
export async function auditExportCommand(
  flags: Flags & { readonly format: string },
  signal: AbortSignal,
): Promise<void> {
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const lines = await keptLines(context);
    const shown = flags.format === 'csv' ? csvLines(readable(lines)) : lines.map(({ text }) => text);
    for (const line of shown) context.terminal.line(line);
  });
}

/** Runs `lockage audit accept`. */
export async function auditAcceptCommand(
  flags: Flags & { readonly reason: string },
  signal: AbortSignal,
): Promise<void> {
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const { anchors } = await anchorsOf(context, false);
    const result = await acceptLog(context, { reason: flags.reason, anchors });
    const { outcome, missing } = result;
    const text =
      outcome === 'accepted'
        ? `${missing.length === 1 ? 'one end' : `${missing.length} ends`} of the log that others know will be missing for good: commands go on`
        : 'nothing is missing in the log that is not accepted already: nothing to do';
    context.terminal.result(result, [text]);
  });
}

/** Returns the lines of the log as they are kept. */
async function keptLines({ audit }: CommandContext): Promise<readonly KeptLine[]> {
  const lines = await audit.lines();
  return lines.map(({ text, file, line }) => ({ text, place: line === undefined ? file : `${file} line ${line}` }));
}

/** Returns the entries that can be read: what is wrong with others is for `audit verify`. */
function readable(lines: readonly KeptLine[]): AuditEntry[] {
  return lines.flatMap(({ text }) => {
    try {
      return [parseLine(text).entry];
    } catch {
      return [];
    }
  });
}

/** Returns the end of the log that somebody knows; nothing where they know none, or say what is none. */
function anchorIn(head: unknown, from: string, silent: string[]): MissingHead[] {
  if (head === undefined) return [];
  if (isHead(head)) return [{ number: head.number, hash: head.hash, from }];
  silent.push(`${from}: what it says to know is no entry of any log`);
  return [];
}

/** Returns what states, hosts and this computer know of the log, and hosts that do not say. */
async function anchorsOf(
  context: CommandContext,
  offline: boolean,
): Promise<{ readonly anchors: readonly MissingHead[]; readonly silent: readonly string[] }> {
  const { audit, records, project, hosts } = context;
  const silent: string[] = [];
  const own = await audit.seen();
  if (!audit.isShared) return { anchors: own ? [{ ...own, from: 'this computer' }] : [], silent };
  const states = await Promise.all(
    (await records.environments()).map(async (name): Promise<MissingHead[]> => {
      const { audit: head } = await records.environment(name);
      return anchorIn(head, `the state of ${name}`, silent);
    }),
  );
  const onHosts = offline
    ? []
    : await Promise.all(
        project.environments.map(async (environment): Promise<MissingHead[]> => {
          const targets = environment.hosts.filter(({ kind }) => kind === 'host');
          const kept = await hosts.kept(environment, targets).catch((error: unknown) => {
            if (!(error instanceof LockageError)) throw error;
            silent.push(`${environment.name}: ${messageOf(error)}`);
            return [];
          });
          return kept.flatMap(({ host, error, copy }): MissingHead[] => {
            if (error !== undefined) silent.push(`${host.name} of ${environment.name}: ${error}`);
            return anchorIn(copy?.record.audit, `${host.name} of ${environment.name}`, silent);
          });
        }),
      );
  const anchors = [...states, ...onHosts].flat();
  return { anchors: own ? [...anchors, { ...own, from: 'this computer' }] : anchors, silent };
}
