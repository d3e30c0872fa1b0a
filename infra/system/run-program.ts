import { LockageError } from '../../pipelines/errors.ts';
import { childEnvironment, daemonEnvironment } from './environment.ts';
import { runToEnd } from './process.ts';

const timeout = 60_000;

/** The Debian packages with the programs that machines are made with. */
const packages: Readonly<Record<string, string>> = {
  'lxc-start': 'lxc',
  mmdebstrap: 'mmdebstrap',
  'ssh-keygen': 'openssh-client',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mke2fs: 'e2fsprogs',
  iptables: 'iptables',
  ip: 'iproute2',
  haproxy: 'haproxy',
};

/** Runs a program of this machine and returns its stdout. Throws LockageError with its last output. */
export async function runProgram(
  argv: readonly string[],
  deadline = timeout,
  env: NodeJS.ProcessEnv = childEnvironment(),
): Promise<string> {
  const [file = '', ...args] = argv;
  const { code, stdout, stderr, late } = await runToEnd(file, args, deadline, { env }).catch((error: unknown) => {
    const name = packages[file];
    if (!(error instanceof LockageError) || name === undefined) throw error;
    throw new LockageError(error.message, { hint: `On Debian, run \`apt-get install ${name}\`.`, cause: error });
  });
  if (code === 0) return stdout;
  const why = late ? `did not end within ${deadline / 1000} s` : `ended with exit code ${code ?? 'none'}`;
  throw new LockageError(`\`${argv.slice(0, 5).join(' ')}\` ${why}`, {
    details: `${stdout}\n${stderr}`.trim().split('\n').slice(-8),
  });
}

/** Runs a program that leaves a process behind, and returns its stdout. Throws as `runProgram` does. */
export function runDaemon(argv: readonly string[]): Promise<string> {
  return runProgram(argv, timeout, daemonEnvironment());
}

/** Runs a program as `runProgram` does, but returns undefined when it fails. */
export async function tryRunProgram(argv: readonly string[], deadline = timeout): Promise<string | undefined> {
  return runProgram(argv, deadline).catch(() => undefined);
}
