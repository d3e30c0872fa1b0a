import type { AuditFacts } from '../model/audit-entry.ts';
import type { Project } from '../model/environment.ts';
import type { Accessories } from './ports/accessories.ts';
import type { ExternalApprovals } from './ports/approvals.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Builder } from './ports/builder.ts';
import type { Bundles } from './ports/bundles.ts';
import type { Configuration } from './ports/configuration.ts';
import type { DriftPort } from './ports/drift.ts';
import type { Dumps } from './ports/dumps.ts';
import type { EvidencePort } from './ports/evidence.ts';
import type { Hosts } from './ports/hosts.ts';
import type { Machines } from './ports/machines.ts';
import type { Observers } from './observers.ts';
import type { Secrets, Terminal } from './ports/operator.ts';
import type { Records } from './ports/records.ts';
import type { Registry } from './ports/registry.ts';
import type { Removal } from './ports/removal.ts';
import type { Stacks } from './ports/stacks.ts';
import type { Storage } from './ports/storage.ts';
import type { Verification } from './ports/verification.ts';

/** The outside as operations need it. Each port is one outside world, or a part of it. */
export interface Context extends Ports {
  readonly project: Project;
  /** `user@machine` */
  readonly actor: string;
  /** Returns milliseconds since 1970. */
  now(): number;
  /** Waits for milliseconds. Throws when the operator wants to stop. */
  pause(milliseconds: number): Promise<void>;
  /** Returns a new name for a change that Pulumi carries out. */
  newOperation(): string;
  readonly secrets: Secrets;
  readonly terminal: Terminal;
  readonly audit: AuditLog;
  /** Tells the audit log what the operation is about; absent: this context carries out none. */
  readonly tell?: (facts: AuditFacts) => void;
  /** absent: nobody else hears of operations */
  readonly observers?: Observers;
  /** absent: nobody outside is asked for approvals */
  readonly approvals?: ExternalApprovals;
  /** aborted when the operator wants to stop */
  readonly signal: AbortSignal;
}

/** The ports through which something outside changes. */
export interface Ports {
  readonly records: Records;
  readonly registry: Registry;
  readonly builder: Builder;
  readonly configuration: Configuration;
  readonly hosts: Hosts;
  readonly machines: Machines;
  readonly stacks: Stacks;
  readonly removal: Removal;
  readonly accessories: Accessories;
  readonly storage: Storage;
  readonly drift: DriftPort;
  readonly bundles: Bundles;
  readonly verification: Verification;
  readonly dumps: Dumps;
  readonly evidence: EvidencePort;
}
