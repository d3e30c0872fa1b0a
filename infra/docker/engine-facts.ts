import type { EngineFacts } from '../../pipelines/hosts/parity.ts';
import type { EngineInfo, EngineVersion } from './api/types.ts';

/** Returns the facts that traits are read from, taken from an engine's answers. */
export function engineFacts(version: EngineVersion, info?: EngineInfo): EngineFacts {
  return {
    architecture: version.Arch,
    kernel: version.KernelVersion,
    engine: version.Version,
    os: info?.OperatingSystem,
    storage: info?.Driver,
    cgroup: info?.CgroupVersion,
  };
}
