import type { SecretSource } from './secret-source.ts';

/** The services outside that hear of a project's operations. None of them is asked whether a rollback may be. */
export interface Integrations {
  readonly hooks: Hooks;
  readonly notifications: readonly Notification[];
  readonly github?: GitHub;
}

/** The project's own programs that run at points of an operation. */
export interface Hooks {
  /** milliseconds that each has */
  readonly timeout: number;
}

/** The kinds of ends of operations that somebody may want to hear of. */
export const notifiedEvents = ['released', 'promoted', 'rolled-back', 'changed', 'failed', 'refused'] as const;

export type NotifiedEvent = (typeof notifiedEvents)[number];

/** A web hook that is told how operations ended. */
export interface Notification {
  /** where it is: as it is written, or secret as those of chats are */
  readonly url: string | SecretSource;
  readonly format: 'json' | 'slack';
  /** signs what it is told; absent: it is not signed */
  readonly secret?: SecretSource;
  readonly on: readonly NotifiedEvent[];
  /** absent: of all environments */
  readonly environments?: readonly string[];
}

/** The repository on GitHub that is told of deployments, and asked for approvals. */
export interface GitHub {
  readonly owner: string;
  readonly name: string;
  /** of the API: GitHub.com's, or that of an Enterprise Server */
  readonly baseUrl: string;
  /** absent: the variable GITHUB_TOKEN */
  readonly token?: SecretSource;
  /** environment → where people visit it */
  readonly urls: Readonly<Record<string, string>>;
  /** a release gets a page with its notes */
  readonly releases: boolean;
  /** environment → the people whose comment or review approves a release for it */
  readonly approvers: Readonly<Record<string, readonly Approver[]>>;
}

/** A person on GitHub. A name can be given up and taken by somebody else; its number cannot. */
export interface Approver {
  readonly login: string;
  readonly id: number;
}
