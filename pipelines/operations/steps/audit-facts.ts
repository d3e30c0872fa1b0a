import type { AuditFacts, AuditGate } from '../../model/audit-entry.ts';
import type { Gate } from '../../model/gate.ts';

/** What requests are about besides environment, version and reason. */
const told = ['host', 'accessory', 'file', 'to', 'name', 'from', 'only', 'decision'] as const;

/** Returns what a request says of an operation, as the audit log keeps it. */
export function factsOf(request: object): AuditFacts {
  const values = request as Readonly<Record<string, unknown>>;
  const text = (key: string) => (typeof values[key] === 'string' ? values[key] : undefined);
  const [environment, version, reason] = [text('environment'), text('version'), text('reason')];
  const about = Object.fromEntries(told.flatMap((key) => (text(key) === undefined ? [] : [[key, text(key) ?? '']])));
  // What is approved then is that an older release comes in again.
  if (values['older'] === true) about['older'] = 'older';
  return {
    ...(environment === undefined ? {} : { environment }),
    ...(version === undefined ? {} : { release: { version } }),
    ...(reason === undefined ? {} : { reason }),
    ...(Object.keys(about).length > 0 ? { about } : {}),
  };
}

/** Returns the gates that a release has passed, as the audit log keeps them. */
export function auditGates(gates: readonly Gate[]): readonly AuditGate[] {
  return gates.map(({ gate, from, met, passed, text }) => ({
    ...{ gate, met, text },
    ...(from === undefined ? {} : { from }),
    ...(passed ? { passed } : {}),
  }));
}
