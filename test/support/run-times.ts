import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** A container that began or ended. */
interface Moment {
  /** nanoseconds */
  readonly at: bigint;
  readonly action: 'start' | 'die';
  readonly role: string;
  /** what containers that may run together have in common: their version, or the service that they are tasks of */
  readonly kind: string;
  readonly name: string;
}

/** Hears from engines when containers of releases begin and end: nothing that they say of themselves is more exact. */
export class RunTimes {
  readonly #processes: ChildProcess[] = [];
  readonly #moments: Moment[] = [];

  /** Begins to listen to an engine. */
  async listen(dockerHost: string): Promise<void> {
    const format =
      '{{.TimeNano}} {{.Action}} {{index .Actor.Attributes "name"}} {{index .Actor.Attributes "lockage.release"}}';
    const wanted = ['type=container', 'event=start', 'event=die'].flatMap((filter) => ['--filter', filter]);
    // From the beginning, as it takes a moment until it listens.
    const words = ['-H', dockerHost, 'events', '--since', '1', ...wanted, '--format', format];
    const child = spawn('docker', words, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#processes.push(child);
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#hear(line);
    });
  }

  #hear(line: string): void {
    const [at = '0', action = '', name = '', version = ''] = line.split(' ');
    const [service, role] = /^[a-z]+-[a-z]+-([a-z]+)-[0-9a-f]{8}/.exec(name) ?? [];
    if (!service || !role || (action !== 'start' && action !== 'die')) return;
    if (this.#moments.some((other) => other.at === BigInt(at) && other.name === name)) return;
    this.#moments.push({ at: BigInt(at), action, role, kind: version || service, name });
  }

  /** Returns when containers of different releases of a role ran at once, and how often one of another began after one had ended. */
  async of(role: string, environment = 'prod'): Promise<{ together: string[]; changes: number }> {
    // What has happened is told within moments.
    await sleep(300);
    const moments = this.#moments
      .filter((each) => each.role === role && each.name.includes(`-${environment}-`))
      .sort((a, b) => (a.at < b.at ? -1 : 1));
    const running = new Map<string, string>();
    const together: string[] = [];
    let last = '';
    let changes = 0;
    for (const { action, kind, name } of moments) {
      if (action === 'die') running.delete(name);
      else {
        for (const [other, theirs] of running) if (theirs !== kind) together.push(`${name} beside ${other}`);
        running.set(name, kind);
        if (last !== '' && last !== kind) changes += 1;
        last = kind;
      }
    }
    return { together, changes };
  }

  stop(): void {
    for (const child of this.#processes) child.kill('SIGKILL');
  }
}
