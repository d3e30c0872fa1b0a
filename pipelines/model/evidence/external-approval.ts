/** An approval that was given outside, and verified there with whoever keeps it. */
export interface ExternalApproval {
  readonly environment: string;
  readonly digest: string;
  /** whom people know: `github:anna` */
  readonly by: string;
  /** the same person whatever the name: `github:583231` */
  readonly id: string;
  /** who gave it has started what promotes now */
  readonly isPromoter?: true;
  /** ISO 8601 */
  readonly at: string;
  /** the page where people see it */
  readonly source: string;
}
