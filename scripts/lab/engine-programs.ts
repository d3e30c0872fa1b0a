/**
 * Which Docker Engine the hosts of a lab run: the machine's own, or the newer one that set-up builds when it is asked for.
 * The newer one brings its own containerd and runc, and keeps images as containerd does.
 */
import path from 'node:path';
import { isNewerEngineThere, type NewerEngine } from '../setup/newer-engine.ts';
import { cachedEngine } from '../tools/cache.ts';

export type { NewerEngine } from '../setup/newer-engine.ts';

/** The programs of a host's engine, and how to start it. */
export interface EnginePrograms {
  /** path of dockerd, or its name where it is the machine's */
  readonly dockerd: string;
  /** variables that its start needs */
  readonly env: Readonly<Record<string, string>>;
}

/** Returns the engine that all hosts of all labs get in this process: `LOCKAGE_LAB_ENGINE`, which `--engine` sets. */
export function engineOfLabs(): NewerEngine | undefined {
  const asked = process.env['LOCKAGE_LAB_ENGINE'];
  if (asked === undefined || asked === '') return undefined;
  if (asked !== '29') throw new Error(`LOCKAGE_LAB_ENGINE is 29 or absent, and not ${asked}`);
  return asked;
}

/** Returns the programs of an engine. Throws an error with the command that builds them where they are not there. */
export function programsOf(engine: NewerEngine | undefined, oldestApi?: string): EnginePrograms {
  if (engine === undefined) return { dockerd: 'dockerd', env: {} };
  if (!isNewerEngineThere()) {
    throw new Error(`Docker Engine ${engine} is not built on this machine: \`npm run setup -- --engine ${engine}\``);
  }
  const folder = cachedEngine();
  // It finds containerd, runc and the rest by name: a distribution's own are too old for it.
  const env = { PATH: `${folder}:${process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin'}` };
  return {
    dockerd: path.join(folder, 'dockerd'),
    env: oldestApi === undefined ? env : { ...env, DOCKER_MIN_API_VERSION: oldestApi },
  };
}
