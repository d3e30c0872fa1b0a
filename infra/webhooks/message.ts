import { shortDigest } from '../../pipelines/model/release.ts';
import type { NotifiedEvent } from '../../pipelines/model/integrations.ts';
import { printable } from '../../pipelines/text/printable.ts';
import { brokenGlassOf, type OperationEnd } from '../../pipelines/operations/observers.ts';
import { gateNames } from '../../pipelines/policy/break-glass.ts';

/** The command that an operation belongs to. */
export interface Teller {
  readonly app: string;
  readonly actor: string;
  /** ISO 8601 */
  readonly time: string;
}

/** Returns what kind of end somebody may want to hear of; undefined where nothing happened. */
export function eventOf({ outcome, operation, isTrial, message }: OperationEnd): NotifiedEvent | undefined {
  if (outcome === 'refused' || outcome === 'locked') return isTrial ? undefined : 'refused';
  if (message !== undefined || outcome === 'broken') return 'failed';
  if (outcome === 'unchanged' || isTrial) return undefined;
  const named: Readonly<Record<string, NotifiedEvent>> = {
    release: 'released',
    promote: 'promoted',
    rollback: 'rolled-back',
  };
  return named[operation] ?? 'changed';
}

/** Returns the document that programs get. Keys are only ever added to it. */
export function eventDocument(event: NotifiedEvent, end: OperationEnd, { app, actor, time }: Teller) {
  const { release, previous } = end;
  const glass = brokenGlassOf(end);
  return {
    event,
    time,
    app,
    actor,
    operation: end.operation,
    environment: end.environment ?? null,
    version: release?.version ?? end.version ?? null,
    digest: release?.digest ?? null,
    commit: release?.commit ?? null,
    previousVersion: previous?.version ?? null,
    revision: end.revision ?? null,
    reason: end.reason ?? null,
    brokenGlass: glass ? { reason: glass.reason, gates: gateNames(glass.gates) } : null,
    outcome: end.outcome,
    message: end.message ?? null,
    seconds: Math.round(end.duration / 100) / 10,
  };
}

const verbs: Readonly<Record<NotifiedEvent, string>> = {
  released: 'was released',
  promoted: 'was promoted',
  'rolled-back': 'serves again: rolled back',
  changed: 'was changed',
  failed: 'failed',
  refused: 'was refused',
};

/** Returns a sentence for people. */
export function eventText(event: NotifiedEvent, end: OperationEnd, { app, actor }: Teller): string {
  const version = end.release?.version ?? end.version;
  const where = end.environment === undefined ? '' : ` in ${end.environment}`;
  const digest = end.release ? ` (${shortDigest(end.release.digest)})` : '';
  const from = end.previous ? `, before it ${end.previous.version}` : '';
  const isAbout = event === 'released' || event === 'promoted' || event === 'rolled-back';
  const what = isAbout && version !== undefined ? `${app} ${version}${digest}` : `${app}: ${end.operation}`;
  const glass = brokenGlassOf(end);
  const loud = glass && `BROKE THE GLASS of ${gateNames(glass.gates)}: ${glass.reason}`;
  const more = [end.message, loud, end.reason].flatMap((text) =>
    text === undefined ? [] : [printable(text).slice(0, 500)],
  );
  return `${what} ${verbs[event]}${where}${from}, by ${actor}${more.map((text) => `: ${text}`).join('')}`;
}

/** Returns what Slack and chats like it show. Three characters would begin links and mentions there. */
export function chatDocument(text: string): { readonly text: string } {
  return { text: text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') };
}
