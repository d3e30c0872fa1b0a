import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the program that stands in for Caddy says when it has been started. */
export const serving = 'serving';

/** What a command of a container is run with. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** The programs that simulated containers have: those of this computer's busybox, with a clock that can be put forward. */
export class Programs {
  readonly bin: string;
  readonly #clock: string;

  constructor(folder: string) {
    this.bin = join(folder, 'bin');
    this.#clock = join(folder, 'clock');
    mkdirSync(this.bin);
    const busybox = ['/usr/bin/busybox', '/bin/busybox'].find(exists) ?? 'busybox';
    for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n'))
      if (!['', 'date', 'cut'].includes(applet)) symlinkSync(busybox, join(this.bin, applet));
    this.putForward(0);
    this.#write('date', `read -r ahead < ${this.#clock}; echo $(($(${busybox} date +%s) + ahead))`);
    const uptime = 'read -r up < /proc/uptime; echo $((${up%%.*} + ahead))';
    const cut = `exec ${busybox} cut "$@"`;
    this.#write('cut', `case "$*" in */proc/uptime) read -r ahead < ${this.#clock}; ${uptime} ;; *) ${cut} ;; esac`);
    // What it answers visitors is done by `EdgeTraffic`, by the files that it would read.
    this.#write('caddy', `echo ${serving}; exec ${join(this.bin, 'sleep')} 100000`);
  }

  /** All clocks are that many milliseconds ahead of this computer's. */
  putForward(milliseconds: number): void {
    writeFileSync(`${this.#clock}.new`, `${Math.floor(milliseconds / 1000)}\n`);
    renameSync(`${this.#clock}.new`, this.#clock);
  }

  /** Starts a program in a session of its own; undefined where there is none of that name. */
  start([program = '', ...words]: readonly string[], { env, cwd }: Surroundings): ChildProcess | undefined {
    const file = program.startsWith('/') ? program : join(this.bin, program);
    if (!exists(file)) return undefined;
    return spawn(file, words, { cwd, env: { PATH: this.bin, ...env }, detached: true });
  }

  #write(name: string, script: string): void {
    writeFileSync(join(this.bin, name), `#!${join(this.bin, 'sh')}\n${script}\n`);
    chmodSync(join(this.bin, name), 0o755);
  }
}

/** Ends a program with all that it has started. */
export function endSession({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

function exists(file: string): boolean {
  try {
    return readFileSync(file).length > 0;
  } catch {
    return false;
  }
}
