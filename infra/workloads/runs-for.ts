import type { Engine } from '../docker/api/client.ts';

/** Returns for how many milliseconds a container has run, by the clock of its own host: that of this computer may differ. */
export async function runsFor(engine: Engine, { StartedAt }: { readonly StartedAt: string }): Promise<number> {
  const { SystemTime } = await engine.info();
  return Date.parse(SystemTime) - Date.parse(StartedAt);
}
