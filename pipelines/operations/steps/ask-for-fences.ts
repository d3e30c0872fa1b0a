import type { Environment } from '../../model/environment.ts';
import type { HostReport } from '../../model/host-report.ts';
import type { Context } from '../ports.ts';

/** What hosts know of a record, for operations that one which is dead must not keep from anything. */
export interface KnownFences {
  readonly reports: readonly Pick<HostReport, 'host' | 'fence'>[];
  /** each of them answered */
  readonly all: boolean;
}

/** Asks hosts who may act on them, and which revision they know. Where one of them does not answer, the others say it. */
export async function askForFences({ hosts }: Pick<Context, 'hosts'>, asked: Environment): Promise<KnownFences> {
  try {
    return { reports: await hosts.look(asked), all: true };
  } catch {
    return { reports: await hosts.kept(asked, asked.hosts), all: false };
  }
}
