import { storedCredentials } from '../../../infra/registry/credentials.ts';
import { parseReference } from '../../../infra/registry/reference.ts';
import { trustIn } from '../../../infra/registry/trust.ts';
import { backendFolder } from '../../../infra/system/backend-folder.ts';
import { webProxyFor } from '../../../infra/system/web-proxy.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { isEmbedded } from '../../../pipelines/model/embedded.ts';
import type { Digest } from '../../../pipelines/model/release.ts';
import { registryImages, registryName } from '../../project/embedded-registry.ts';
import { checking, good, warning, type Check } from '../check.ts';
import type { CommandContext } from '../open-context.ts';

/** A digest that no registry has: any answer about it shows that the registry answers and gives access. */
const nothing = `sha256:${'0'.repeat(64)}` satisfies Digest;

/** Checks the registry that releases are pushed to. One on this computer that does not run is not started for it. */
export async function registryChecks(context: CommandContext): Promise<readonly Check[]> {
  const { repository, backend } = context.project;
  const isAlone = isEmbedded(repository) && backendFolder(backend) === undefined;
  const hint = 'Run `lockage releases push --to REPOSITORY`, and write `repository: REPOSITORY` in lockage.yaml.';
  const shared = warning('registry', 'the state is shared, and what is released here is on this computer alone', hint);
  const answers = await checking('registry', () => answerCheck(context));
  const own = isEmbedded(repository) ? [] : await wayChecks(parseReference(repository).registry);
  return [...answers, ...own, ...(isAlone ? [shared] : [])];
}

/** Checks how a registry is reached from here: through which proxy, with which login, and trusted by which files. */
async function wayChecks(registry: string): Promise<readonly Check[]> {
  const proxied = checking('proxy', async () => {
    const proxy = webProxyFor(new URL(`https://${registry}`));
    if (!proxy) return [];
    return good(
      'proxy',
      `${registry} is asked through ${proxy.url.host}, of ${proxy.variable}; engines have their own`,
    );
  });
  const login = storedCredentials(registry).then(
    () => [],
    (error: unknown) => {
      if (!(error instanceof LockageError)) throw error;
      return [warning('registry', `its login cannot be read: ${error.message}`, error.hint)];
    },
  );
  const trusted = checking('registry', async () => {
    const { unread } = await trustIn(registry);
    const hint = 'Docker reads it as root: have this user read it too, or Lockage goes on without it.';
    return unread.map((file) => warning('registry', `${file} cannot be read`, hint));
  });
  return (await Promise.all([proxied, login, trusted])).flat();
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
