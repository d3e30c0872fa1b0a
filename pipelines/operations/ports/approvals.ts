import type { ExternalApproval } from '../../model/evidence/external-approval.ts';
import type { Release } from '../../model/release.ts';

/** The question whether somebody outside has approved a release for an environment. */
export interface ApprovalQuestion {
  readonly environment: string;
  readonly release: Pick<Release, 'version' | 'digest' | 'commit'>;
  /** SHA-256, in hex, of how the environment is configured: only an approval of that counts; absent: of any */
  readonly configuration?: string;
}

/** A source of approvals outside. */
export interface ExternalApprovals {
  /** Returns the approvals of a release that hold now. Throws LockageError when they cannot be asked for: there are none then. */
  find(question: ApprovalQuestion): Promise<readonly ExternalApproval[]>;
}
