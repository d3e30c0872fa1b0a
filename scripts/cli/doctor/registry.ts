import { backendFolder } from '../../../infra/system/backend-folder.ts';
import { isEmbedded } from '../../../pipelines/model/embedded.ts';
import type { Digest } from '../../../pipelines/model/release.ts';
import { registryImages, registryName } from '../../project/embedded-registry.ts';
import { good, warning, type Check } from '../check.ts';
import type { CommandContext } from '../open-context.ts';

/** A digest that no registry has: any answer about it shows that the registry answers and gives access. */
const nothing = `sha256:${'0'.repeat(64)}` satisfies Digest;

/** Checks the registry that releases are pushed to. One on this computer that does not run is not started for it. */
export async function registryChecks(context: CommandContext): Promise<readonly Check[]> {
  const { repository, backend } = context.project;
  const isAlone = isEmbedded(repository) && backendFolder(backend) === undefined;
  const hint = 'Run `lockage releases push --to REPOSITORY`, and write `repository: REPOSITORY` in lockage.yaml.';
  const shared = warning('registry', 'the state is shared, and what is released here is on this computer alone', hint);
  return [await answerCheck(context), ...(isAlone ? [shared] : [])];
}

async function answerCheck({ project, registryClient, embedded }: CommandContext): Promise<Check> {
  const { repository } = project;
  const asked = async () => {
    const started = performance.now();
    await registryClient.exists(repository, nothing);
    return `answers in ${Math.round(performance.now() - started)} ms`;
  };
  if (!isEmbedded(repository)) return good('registry', `${repository} ${await asked()}`);
  const found = await embedded.look();
  if (!found) return unmade(await embedded.image());
  const what = `embedded, at ${found.address}: container and volume ${registryName}, of ${found.image}`;
  if (!found.runs) return warning('registry', `${what}; is stopped`, 'The next command that needs it starts it.');
  return good('registry', `${what}; ${await asked()}`);
}

function unmade(image: string | undefined): Check {
  const { official, ofSetup } = registryImages;
  if (image !== undefined) return good('registry', `embedded: the first release makes it, of ${image}`);
  return warning(
    'registry',
    `embedded: the first release makes it, and has to pull ${official}`,
    `Where that cannot be pulled, run \`npm run setup\` in a clone of Lockage, which makes ${ofSetup}.`,
  );
}
