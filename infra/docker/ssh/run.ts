import { childEnvironment } from '../../system/environment.ts';
import { runToEnd, type Ended, type ProgramOptions } from '../../system/process.ts';

/**
 * Runs ssh to its end, as `runToEnd` does. It starts what leads through another machine with the user's login shell, which may be one
 * that runs nothing, as nologin; the usual one does for everybody.
 */
export function runSsh(argv: readonly string[], deadline: number, options: ProgramOptions): Promise<Ended> {
  return runToEnd('ssh', argv, deadline, { ...options, env: childEnvironment({ SHELL: '/bin/sh' }) });
}
