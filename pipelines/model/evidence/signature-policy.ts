import type { BreakableGate } from '../gate.ts';
import type { Approver } from '../integrations.ts';
import type { TrustedKey } from '../trusted-key.ts';

/** A kind of evidence that an environment asks for: of the image, or of how it ran in an environment before. */
export type Wanted = 'provenance' | 'release' | 'sbom' | `verification/${string}`;

/** The approvals that a release needs before it enters an environment. */
export interface ApprovalRule {
  /** how many people have to agree */
  readonly count: number;
  /** names of keys, and `github:LOGIN`; absent: all keys that may sign approvals for the environment */
  readonly from?: readonly string[];
  /** who does not count: who signed what was built, and who promotes */
  readonly not?: readonly ('builder' | 'promoter')[];
  /** ms after which an approval counts no more */
  readonly within: number;
}

/** Where approvals outside are asked for, and who may give them. */
export interface OutsidePolicy {
  /** which GitHub, and which repository there: `https://api.github.com acme/shop` */
  readonly of: string;
  readonly approvers: readonly Approver[];
}

/** What an environment asks for of signatures, and whose count there. */
export interface SignaturePolicy {
  readonly evidence: readonly Wanted[];
  readonly approvals?: ApprovalRule;
  readonly keys: readonly TrustedKey[];
  /** whom GitHub is asked about; absent: it is not asked */
  readonly github?: OutsidePolicy;
  /** the gates that a person may pass who gives a reason; absent: none */
  readonly breakGlass?: readonly BreakableGate[];
}
