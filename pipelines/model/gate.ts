/** The gates that an environment may let a person pass who gives a reason. What says which image it is, is none of them. */
export const breakableGates = ['hold', 'block', 'upstream', 'soak', 'freeze', 'verification', 'approvals'] as const;

export type BreakableGate = (typeof breakableGates)[number];

/** What must hold before a release may enter an environment, and whether it does. */
export interface Gate {
  readonly gate:
    | 'hold'
    | 'block'
    | 'image'
    | 'upstream'
    | 'soak'
    | 'verification'
    | 'schema'
    | 'evidence'
    | 'approvals'
    | 'policy'
    | 'freeze'
    | 'clock';
  /** of `upstream`, `soak` and `verification`: the environment that the release comes from; of `evidence`: which */
  readonly from?: string;
  readonly met: boolean;
  /** it is not met, and a person has broken the glass */
  readonly passed?: true;
  /** what is so, as a sentence without a full stop */
  readonly text: string;
  /** ISO 8601: when it opens by itself, if nothing happens until then */
  readonly until?: string;
  /** `user@machine`: who has closed it */
  readonly by?: string;
  /** the command that helps */
  readonly command?: string;
  /** what helps where no command does, as a sentence */
  readonly remedy?: string;
}
