import { LockageError } from '../errors.ts';

/** The file that a Docker Engine reads its settings from. */
export const daemonFile = '/etc/docker/daemon.json';

export interface DaemonSettings {
  /** registries without TLS, as `10.0.0.1:5000` */
  readonly insecureRegistries: readonly string[];
  /** the engine is part of a swarm, which cannot keep containers running without it */
  readonly swarm: boolean;
}

export interface DaemonChange {
  /** the new file; absent: it needs no change */
  readonly text?: string;
  /** what is added to it: `"live-restore": true` */
  readonly added: readonly string[];
  /** what somebody set otherwise, and is left so: `"log-driver": "journald"` */
  readonly kept: readonly string[];
  /** containers keep running while the engine restarts, as that is read before the restart */
  readonly liveRestore: boolean;
}

type Settings = Record<string, unknown>;

/** The log of a container that sets no limit of its own may take 30 MB. */
const logOptions: Settings = { 'max-size': '10m', 'max-file': '3' };

/**
 * Adds log limits and hardening to an engine's settings. Settings that somebody wrote stay, even if they differ from
 * what is wanted; lists are joined. Throws LockageError for a file that cannot be understood.
 */
export function mergeDaemonConfig(text: string | undefined, wanted: DaemonSettings): DaemonChange {
  const settings = parse(text);
  const added: Settings = {};
  const kept: Settings = {};
  const want = (key: string, value: unknown) => {
    if (!(key in settings)) added[key] = value;
    else if (settings[key] !== value) kept[key] = settings[key];
  };
  want('log-driver', 'json-file');
  if (!('log-driver' in kept)) Object.assign(added, missingLogOptions(settings['log-opts']));
  want('no-new-privileges', true);
  if (!wanted.swarm) want('live-restore', true);
  const registries = settings['insecure-registries'];
  const known = Array.isArray(registries) ? registries : [];
  const missing = wanted.insecureRegistries.filter((registry) => !known.includes(registry));
  if (missing.length > 0) added['insecure-registries'] = [...known, ...missing];

  const changed = Object.keys(added).length > 0;
  return {
    ...(changed ? { text: `${JSON.stringify({ ...settings, ...added }, undefined, 2)}\n` } : {}),
    added: shown(added),
    kept: shown(kept),
    liveRestore: { ...settings, ...added }['live-restore'] === true,
  };
}

function missingLogOptions(written: unknown): Settings {
  const options = isMapping(written) ? written : {};
  const isComplete = Object.keys(logOptions).every((key) => key in options);
  return isComplete ? {} : { 'log-opts': { ...logOptions, ...options } };
}

function parse(text: string | undefined): Settings {
  if (text === undefined || text.trim() === '') return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (isMapping(parsed)) return parsed;
  } catch (error) {
    throw notUnderstood((error as Error).message);
  }
  throw notUnderstood('it holds something else than a mapping');
}

function notUnderstood(why: string): LockageError {
  return new LockageError(`${daemonFile} of the host is not JSON that can be added to: ${why}`, {
    hint: 'Correct it there, or move it away, and run the same command again.',
  });
}

function isMapping(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(settings: Settings): string[] {
  return Object.entries(settings).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
}
