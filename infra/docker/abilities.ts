import type { Abilities } from '../../pipelines/hosts/abilities.ts';
import type { AddressPool } from '../../pipelines/hosts/address-pools.ts';
import type { EngineInfo } from './api/types.ts';

/** Reads what an engine can do from its answer about itself. What is of another type than it has to be says nothing. */
export function abilitiesOf(info: EngineInfo): Abilities {
  const { CpuCfsQuota, MemoryLimit, PidsLimit, DockerRootDir, LoggingDriver, DefaultAddressPools } = info;
  const plugins = (info['Plugins'] ?? {}) as { readonly Authorization?: unknown };
  return {
    ...(typeof CpuCfsQuota === 'boolean' ? { cpuQuota: CpuCfsQuota } : {}),
    ...(typeof MemoryLimit === 'boolean' ? { memoryLimit: MemoryLimit } : {}),
    ...(typeof PidsLimit === 'boolean' ? { pidsLimit: PidsLimit } : {}),
    ...(typeof DockerRootDir === 'string' ? { dataFolder: DockerRootDir } : {}),
    ...(typeof LoggingDriver === 'string' ? { logDriver: LoggingDriver } : {}),
    ...poolsOf(DefaultAddressPools),
    security: texts(info['SecurityOptions']).flatMap((option) => /(?:^|,)name=([^,]+)/.exec(option)?.[1] ?? []),
    authorization: texts(plugins.Authorization),
  };
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

/** Returns the pools that an engine was told, where all of them can be read: one that cannot would count as used up. */
function poolsOf(value: unknown): Pick<Abilities, 'pools'> {
  const given: readonly unknown[] = Array.isArray(value) ? value : [];
  const pools = given.flatMap(poolOf);
  return pools.length > 0 && pools.length === given.length ? { pools } : {};
}

function poolOf(value: unknown): AddressPool[] {
  const { Base, Size } = Object(value) as { readonly Base?: unknown; readonly Size?: unknown };
  return typeof Base === 'string' && typeof Size === 'number' ? [{ base: Base, size: Size }] : [];
}
