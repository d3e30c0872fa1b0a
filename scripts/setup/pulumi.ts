import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { cachedPulumi, findDockerPlugin, findPulumi, pulumiDefaults } from '../../infra/pulumi/find-pulumi.ts';
import { oldestPulumi, toolVersions } from '../../infra/system/tool-versions.ts';
import { cachedDockerPlugin, cacheLock } from '../tools/cache.ts';
import { run } from './command.ts';
import { downloadPulumi, isReachable, officialReleases } from './download.ts';
import { goBuild } from './go-build.ts';
import { withLock } from './lock.mjs';
import { StepError, type Step } from './step.ts';

const installPulumi = `install Pulumi ${oldestPulumi} or newer yourself: https://www.pulumi.com/docs/iac/download-install/`;

/** Makes the step for the Pulumi CLI: found, else downloaded, else built from its Go modules. */
export function pulumiStep(): Step {
  return {
    name: `Pulumi CLI ${toolVersions.pulumi}`,
    why: 'the engine that brings an environment to its desired state',
    async ready() {
      const found = await findPulumi();
      return found && `${found.version} at ${found.path}`;
    },
    async run(progress) {
      return await withLock(
        cacheLock('pulumi'),
        async () => {
          if (existsSync(cachedPulumi())) return 'made by another set-up meanwhile';
          if (await downloadPulumi(toolVersions.pulumi, dirname(cachedPulumi()))) return 'downloaded from pulumi.com';
          progress('pulumi.com does not answer: building it from its Go modules');
          await goBuild(
            {
              module: 'scripts/setup/go/pulumi',
              source: 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi',
              set: ['github.com/pulumi/pulumi/sdk/v3/go/common/version.Version', toolVersions.pulumi],
              out: cachedPulumi(),
              instead: installPulumi,
            },
            progress,
          );
          return 'built from Go modules';
        },
        () => progress('another set-up is at it: waiting'),
      );
    },
  };
}

/** Makes the step for Pulumi's Docker plugin in our Pulumi folder: the official one, else built from Go modules. */
export function dockerPluginStep(): Step {
  return {
    name: `Docker plugin ${toolVersions.dockerPlugin}`,
    why: "Pulumi's way to the Docker Engine",
    ready() {
      return Promise.resolve(findDockerPlugin());
    },
    async run(progress) {
      const pulumi = await findPulumi();
      if (!pulumi) throw new StepError('there is no Pulumi CLI to install its Docker plugin with', installPulumi);
      const install = [pulumi.path, 'plugin', 'install', 'resource', 'docker', toolVersions.dockerPlugin];
      return await withLock(
        cacheLock('docker-plugin'),
        async () => {
          if (findDockerPlugin()) return 'made by another set-up meanwhile';
          if (await isReachable(officialPlugin())) {
            await run(install, { env: pulumiDefaults(), timeout: 600_000 });
            return 'downloaded from pulumi.com';
          }
          if (!existsSync(cachedDockerPlugin())) {
            progress('pulumi.com does not answer: building it from its Go modules');
            await goBuild(
              {
                module: 'scripts/setup/go/docker-plugin',
                source: '.',
                tags: 'no_compose',
                out: cachedDockerPlugin(),
                instead: 'set this up on a machine that reaches get.pulumi.com.',
              },
              progress,
            );
          }
          await run([...install, '--file', cachedDockerPlugin()], { env: pulumiDefaults() });
          return 'built from Go modules';
        },
        () => progress('another set-up is at it: waiting'),
      );
    },
  };
}

function officialPlugin(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  return `${officialReleases}/plugins/pulumi-resource-docker-v${toolVersions.dockerPlugin}-${process.platform}-${arch}.tar.gz`;
}
