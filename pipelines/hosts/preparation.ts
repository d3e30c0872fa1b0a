import { LockageError } from '../errors.ts';
import { daemonFile, mergeDaemonConfig } from './daemon-config.ts';

/** A machine that is to become a host, as it was found. */
export interface HostProbe {
  /** its distribution and those it resembles: `debian`, `ubuntu` */
  readonly distribution: readonly string[];
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly system: string;
  /** as its kernel says: `x86_64` */
  readonly architecture: string;
  /** the user that logs in */
  readonly user: string;
  /** may act as root without a password */
  readonly root: boolean;
  readonly systemd: boolean;
  /** absent: there is no Docker Engine */
  readonly engine?: { readonly version: string; readonly program: string; readonly active: boolean };
  readonly groups: readonly string[];
  /** content of its daemon.json */
  readonly settings?: string;
  /** an earlier preparation stopped after it wrote them and before it started the engine with them */
  readonly unread: boolean;
  readonly swarm: boolean;
  /** containers that run there now */
  readonly running: number;
}

/** A thing that has to be true of a host. */
export interface PreparationStep {
  readonly name: 'settings' | 'engine' | 'user';
  /** `configure`: write the file; `install`, `start`, `restart`: the engine; `join`: the group; `none`: nothing to do */
  readonly action: 'configure' | 'install' | 'start' | 'restart' | 'join' | 'none';
  /** what it is about: `/etc/docker/daemon.json` */
  readonly subject: string;
  /** what will be done, or what was found */
  readonly text: string;
}

export interface Preparation {
  /** in the order in which they are done: an engine that is installed starts with its settings */
  readonly steps: readonly PreparationStep[];
  /** the new settings file, if it changes */
  readonly settings?: string;
  /** what somebody set otherwise on that machine, and is left so */
  readonly kept: readonly string[];
  /**
   * the `live-restore` value that an engine with containers must report before it restarts; absent: no container runs
   * there
   */
  readonly liveRestore?: boolean;
}

/**
 * Plans the steps that make a host of a machine. Throws LockageError (refused) with everything that prevents it: then
 * nothing has been changed.
 */
export function preparationOf(machine: HostProbe, insecureRegistries: readonly string[]): Preparation {
  refuseUnfit(machine);
  const { user, groups, swarm, unread, running } = machine;
  const { text, added, kept, liveRestore } = mergeDaemonConfig(machine.settings, { insecureRegistries, swarm });
  const mayUse = user === 'root' || groups.includes('docker');
  return {
    steps: [
      text === undefined
        ? { name: 'settings', action: 'none', subject: daemonFile, text: 'as it should be' }
        : { name: 'settings', action: 'configure', subject: daemonFile, text: `add ${added.join(', ')}` },
      { name: 'engine', subject: 'Docker Engine', ...engineStep(machine, text !== undefined || unread, liveRestore) },
      mayUse
        ? { name: 'user', action: 'none', subject: `user ${user}`, text: 'may use the engine' }
        : {
            name: 'user',
            action: 'join',
            subject: `user ${user}`,
            text: 'join the group docker, which is as good as root there',
          },
    ],
    ...(text === undefined ? {} : { settings: text }),
    kept,
    ...(running > 0 ? { liveRestore } : {}),
  };
}

function engineStep(
  { engine, running }: HostProbe,
  reconfigured: boolean,
  liveRestore: boolean,
): Pick<PreparationStep, 'action' | 'text'> {
  if (!engine) return { action: 'install', text: "install the distribution's docker.io" };
  if (!engine.active) return { action: 'start', text: `start ${engine.version}, which is there` };
  if (!reconfigured) return { action: 'none', text: `${engine.version} runs` };
  const meanwhile = `containers that run there (${running}) ${liveRestore ? 'go on' : 'stop for a moment'}`;
  const cost = running === 0 ? 'no container runs there' : meanwhile;
  return { action: 'restart', text: `restart ${engine.version} with its new settings; ${cost}` };
}

function refuseUnfit(machine: HostProbe): void {
  const { distribution, system, engine, user, root, systemd } = machine;
  const reasons = [
    ...(distribution.some((name) => name === 'debian' || name === 'ubuntu')
      ? []
      : [`it runs ${system || 'an unknown system'}: only Debian and Ubuntu can be prepared`]),
    ...(root ? [] : [`${user} is not root, and has no sudo without a password`]),
    ...(systemd ? [] : ['systemd does not run there, which starts the engine']),
    ...(engine && isOld(engine.version) ? [`its Docker Engine ${engine.version} is older than 20.10`] : []),
    ...(engine?.program.startsWith('/snap/')
      ? ['its Docker Engine is a snap, which reads its settings from elsewhere']
      : []),
  ];
  if (reasons.length === 0) return;
  throw new LockageError('the machine cannot be prepared: nothing was changed on it', {
    details: reasons,
    hint: 'Correct that, or set Docker up there by hand and write the target into the file of the environment.',
  });
}

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return major < 20 || (major === 20 && minor < 10);
}
