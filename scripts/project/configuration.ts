import { withoutTarget } from '../../pipelines/config/edit-targets.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { Configuration } from '../../pipelines/operations/ports/configuration.ts';
import { environmentFile, tryEdit, writeEdit, type EnvironmentEdit } from './edit.ts';

/** Returns the project's configuration files, where an operation changes them. `root` is the folder of lockage.yaml. */
export function configurationIn(root: string): Configuration {
  const withoutHost = (environment: Environment, host: string): EnvironmentEdit => {
    const index = environment.hosts.findIndex(({ name }) => name === host);
    return {
      root,
      environment: environment.name,
      edit: (file) => withoutTarget(file, environment.name, index),
      hosts: environment.hosts.map(({ name }) => name).toSpliced(index, 1),
    };
  };
  return {
    fileOf: environmentFile,
    checkWithoutHost: async (environment, host) => void (await tryEdit(withoutHost(environment, host))),
    removeHost: async (environment, host) => void (await writeEdit(withoutHost(environment, host))),
  };
}
