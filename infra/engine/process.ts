import { spawn } from 'node:child_process';
import { LockageError } from '../../pipelines/errors.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** it was killed because the deadline passed */
  readonly late: boolean;
}

/**
 * Runs a program with `stdin` to its end, or to the deadline (milliseconds). Any exit code is a result.
 * It counts as ended when its own process is, even if one it left in the background still holds the output open.
 * Throws LockageError when the program is not installed.
 */
export function runToEnd(file: string, args: readonly string[], deadline: number, stdin = ''): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: { ...process.env, LC_ALL: 'C' } });
    // a program that ends without reading breaks the pipe
    child.stdin.on('error', () => undefined).end(stdin);
    const output = { stdout: '', stderr: '' };
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, deadline);
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text));
    }
    child.on('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const missing = cause.code === 'ENOENT';
      const hint = file.startsWith('ssh') ? 'install the OpenSSH client: apt-get install openssh-client' : undefined;
      reject(missing ? new LockageError(`${file} is not installed`, { ...(hint && { hint }), cause }) : cause);
    });
    const finish = (code: number | null) => {
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code, ...output, late });
    };
    child.on('exit', (code) => {
      clearTimeout(timer);
      const unread = setTimeout(() => finish(code), 100);
      child.on('close', () => {
        clearTimeout(unread);
        finish(code);
      });
    });
  });
}
