import { BrokenError, LockageError, RolledBackError } from '../../../pipelines/errors.ts';
import type { HostProbe, Preparation, PreparationStep } from '../../../pipelines/hosts/preparation.ts';
import type { SshHost } from '../../../pipelines/model/target.ts';
import type { SshLink } from '../../docker/ssh/ssh.ts';
import {
  configureScript,
  installScript,
  joinScript,
  probeScript,
  restartScript,
  startScript,
  withVariables,
} from './scripts.ts';

const minute = 60_000;

/** The setup of a machine reached by ssh as a host. */
export class HostSetup {
  readonly #host: SshHost;
  readonly #link: SshLink;

  constructor(host: SshHost, link: SshLink) {
    this.#host = host;
    this.#link = link;
  }

  /** Returns the machine's current state. Throws LockageError when it cannot be reached. */
  async state(): Promise<HostProbe> {
    const { code, stdout, stderr } = await this.#link.script(probeScript, [], { deadline: minute });
    const state = probeHost(stdout);
    if (code === 0 && state.user !== '') return state;
    throw new LockageError(`${this.#host.name}: it logs in, and runs no shell script`, {
      details: stderr.trim().split('\n').slice(-5),
    });
  }

  /**
   * Executes one step. Throws LockageError: a failed restart is undone on the machine; everything else that fails can
   * be repeated by the same command.
   */
  async execute(step: PreparationStep, before: HostProbe, preparation: Preparation): Promise<void> {
    const { settings = '', liveRestore = '' } = preparation;
    switch (step.action) {
      case 'none':
        return;
      case 'configure':
        // Shells drop the newlines at the end of what they read.
        return this.#asRoot(
          step,
          before,
          withVariables(configureScript, { wanted: settings.trimEnd(), before: (before.settings ?? '').trimEnd() }),
        );
      case 'install':
        return this.#asRoot(step, before, installScript);
      case 'start':
        return this.#asRoot(step, before, startScript);
      case 'restart':
        return this.#asRoot(step, before, restartScript, [String(liveRestore)]);
      case 'join':
        await this.#asRoot(step, before, joinScript, [before.user]);
        // A user who is already logged in keeps the old groups.
        return this.#link.disconnect();
    }
  }

  async #asRoot(
    step: PreparationStep,
    { user }: HostProbe,
    script: string,
    values: readonly string[] = [],
  ): Promise<void> {
    const deadline = step.action === 'install' ? 15 * minute : 3 * minute;
    const { code, stdout, stderr, late } = await this.#link.script(script, values, { deadline, sudo: user !== 'root' });
    if (code === 0) return;
    const undone = step.action === 'restart' && code === 3;
    const how = late ? `not ended within ${deadline / minute} minutes` : `exit code ${code}`;
    const hint = undone
      ? 'Its earlier settings are back, and it runs. See the lines above for what it did not take.'
      : 'Run the same command again when that is corrected: what is done is not done twice.';
    const Kind = undone ? RolledBackError : BrokenError;
    throw new Kind(`${this.#host.name}: cannot ${step.text}: ${how}`, {
      details: `${stdout}\n${stderr}`.trim().split('\n').slice(-12),
      hint,
    });
  }
}

/** Reads the facts in the lines of the probe. */
export function probeHost(lines: string): HostProbe {
  const facts = new Map(
    lines.split('\n').flatMap((line) => {
      const [, name, value = ''] = /^([a-z]+)=(.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value.trim()] as const];
    }),
  );
  const words = (name: string) => (facts.get(name) ?? '').split(/\s+/).filter((word) => word !== '');
  const program = facts.get('program');
  const settings = facts.get('settings');
  return {
    distribution: words('distribution'),
    system: facts.get('system') ?? '',
    architecture: facts.get('architecture') ?? '',
    user: facts.get('user') ?? '',
    root: facts.has('root'),
    systemd: facts.has('systemd'),
    ...(program ? { engine: { version: facts.get('version') ?? '', program, active: facts.has('active') } } : {}),
    groups: words('groups'),
    ...(settings ? { settings: Buffer.from(settings, 'base64').toString('utf8') } : {}),
    unread: facts.has('unread'),
    swarm: facts.has('swarm'),
    running: Number(facts.get('running')) || 0,
  };
}
