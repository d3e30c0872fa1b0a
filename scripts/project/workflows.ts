import { toolVersions } from '../../infra/system/tool-versions.ts';
import { isEmbedded } from '../../pipelines/model/embedded.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import { firstEnvironment } from '../../pipelines/model/pipeline.ts';
import type { SecretSource } from '../../pipelines/model/secret-source.ts';
import { stringify } from 'yaml';

/*
 * The workflows of `lockage init --github`. Each job may do what it needs and no more, actions are named by the commit that
 * they are, and nothing that somebody writes on GitHub gets into a shell but as the value of a variable.
 */

/** An action, by the commit that its version was when this was written. A tag can be moved. */
const actions = {
  checkout: 'actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0',
  setupNode: 'actions/setup-node@a0853c24544627f65ddf259abe73b1d18a591444 # v5.0.0',
  dockerLogin: 'docker/login-action@5e57cd118135c172c3672efd75eb46360885c0ef # v3.6.0',
  aws: 'aws-actions/configure-aws-credentials@00943011d9042930efac3dcd3a170e4273319bc8 # v5.1.0',
  google: 'google-github-actions/auth@7c6bc770dae815cd3e89ee6cdf493a5fab2cc093 # v3.0.0',
} as const;

export const releaseWorkflow = '.github/workflows/release.yml';
export const promoteWorkflow = '.github/workflows/promote.yml';

/** Returns the workflows of a project: path → content. `folder`: of the project in its repository; empty for its top. */
export function workflowsOf(project: Project, folder = ''): Readonly<Record<string, string>> {
  return { [releaseWorkflow]: releaseText(project, folder), [promoteWorkflow]: promoteText(project, folder) };
}

/** Returns what a workflow cannot do yet with this configuration, as sentences. */
export function workflowNotes(project: Project): string[] {
  const { backend, repository } = project;
  const isLocal = backend.startsWith('file:');
  return [
    ...(isLocal ? ['the state lies on this computer: set `backend` to one that workflows reach'] : []),
    ...(isEmbedded(repository) ? ['releases lie in a registry on this computer: set `repository` to another one'] : []),
  ];
}

const head = (what: string) => `# ${what}
# Written by \`lockage init --github\`, and yours from here on. Actions are pinned to commits: the version behind each says
# which one it is.
`;

function releaseText(project: Project, folder: string): string {
  const first = scalar(firstEnvironment(project)?.name ?? 'dev');
  return `${head('Builds the image of a version tag once, releases it, and brings it into the first environment.')}
name: Release
on:
  push:
    tags: ['v[0-9]+.[0-9]+.[0-9]+*']

permissions: {}
${defaults(folder)}
jobs:
  release:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    concurrency:
      group: lockage-release
      cancel-in-progress: false
    permissions:
      ${block(6, releasePermissions(project))}
    steps:
${checkoutSteps('          # Notes are made of the commits since the release before.\n          fetch-depth: 0\n')}${loginSteps(project)}      - name: Build once, push, record the digest
        run: npx --no-install lockage release "\${GITHUB_REF_NAME#v}"
        env:
          ${block(10, [...commonVariables(), ...githubToken(project), ...toldVariables(project)])}

  promote:
    needs: release
    uses: ./${promoteWorkflow}
    with:
      environment: ${first}
    permissions:
      ${block(6, promotePermissions(project))}
    secrets: inherit
`;
}

function promoteText(project: Project, folder: string): string {
  const names = project.environments.map(({ name }) => scalar(name));
  return `${head('Brings the release of a version tag into an environment: `gh workflow run promote.yml --ref v1.4.0 -f environment=prod`.')}# Reviewers of an environment are set on GitHub, under Settings, Environments.

name: Promote
run-name: Promote \${{ github.ref_name }} to \${{ inputs.environment }}
on:
  workflow_dispatch:
    inputs:
      environment:
        description: Where to
        type: choice
        required: true
        options: [${names.join(', ')}]
  workflow_call:
    inputs:
      environment:
        type: string
        required: true

permissions: {}
${defaults(folder)}
jobs:
  promote:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    environment: \${{ inputs.environment }}
    concurrency:
      group: lockage-\${{ inputs.environment }}
      cancel-in-progress: false
    permissions:
      ${block(6, promotePermissions(project))}
    steps:
      - name: A version tag says which release it is
        if: github.ref_type != 'tag'
        run: |
          echo 'Start this workflow on the tag of a release: gh workflow run promote.yml --ref v1.4.0' >&2
          exit 2
${checkoutSteps('')}${pluginStep}${sshSteps(project)}${loginSteps(project)}      - name: All hosts serve it, or all keep what they serve
        run: npx --no-install lockage promote "\${GITHUB_REF_NAME#v}" --to "$TARGET" --yes --wait 10m
        env:
          TARGET: \${{ inputs.environment }}
          ${block(10, [...new Set([...commonVariables(), ...githubToken(project), ...toldVariables(project), ...secretVariables(project)])])}
`;
}

function defaults(folder: string): string {
  return folder === '' ? '' : `\ndefaults:\n  run:\n    working-directory: ${JSON.stringify(folder)}\n`;
}

/** Returns a name as YAML takes it for a text: some would be a number or a truth value. */
function scalar(name: string): string {
  return stringify(name, { version: '1.1', singleQuote: true }).trimEnd();
}

/** Returns lines of a mapping, all but the first indented. */
function block(indent: number, lines: readonly string[]): string {
  return lines.join(`\n${' '.repeat(indent)}`);
}

function releasePermissions(project: Project): string[] {
  const { github } = project.integrations ?? {};
  return [
    github?.releases ? 'contents: write # the page of the release' : 'contents: read',
    ...(isOnGitHub(project) ? ['packages: write # the image'] : []),
    ...(cloudOf(project) ? ['id-token: write # a login at the cloud that lasts for this job'] : []),
  ];
}

function promotePermissions(project: Project): string[] {
  const { github } = project.integrations ?? {};
  const asks = Object.keys(github?.approvers ?? {}).length > 0;
  return [
    'contents: read',
    ...(github ? ['deployments: write', 'statuses: write'] : []),
    ...(asks ? ['actions: read # reviews of this run', 'pull-requests: read # approvals by comment'] : []),
    ...(isOnGitHub(project) ? ['packages: read # the image'] : []),
    ...(cloudOf(project) ? ['id-token: write # a login at the cloud that lasts for this job'] : []),
  ];
}

function checkoutSteps(more: string): string {
  return `      - uses: ${actions.checkout}
        with:
          persist-credentials: false
${more}      - uses: ${actions.setupNode}
        with:
          node-version: 22
      - name: Lockage, as package-lock.json has it
        run: npm ci --ignore-scripts
`;
}

/** Pulumi is on GitHub's runners, without the plugin of the very version that Lockage asks for, where it looks for it. */
const pluginStep = `      - name: Pulumi's Docker plugin
        run: |
          export PULUMI_HOME="\${LOCKAGE_CACHE:-\${XDG_CACHE_HOME:-$HOME/.cache}/lockage}/pulumi-home"
          [ -d "$PULUMI_HOME/plugins/resource-docker-v${toolVersions.dockerPlugin}" ] ||
            pulumi plugin install resource docker ${toolVersions.dockerPlugin}
`;

/** Only where hosts are reached by ssh. Their keys are pinned by the fingerprints that a variable of the environment lists. */
function sshSteps({ environments }: Project): string {
  const bySsh = environments.some(({ hosts }) =>
    hosts.some((host) => host.kind === 'host' && host.endpoint.kind === 'ssh'),
  );
  if (!bySsh) return '';
  return `      - name: The key that hosts know, and the keys of the hosts
        run: |
          eval "$(ssh-agent -s)" > /dev/null
          ssh-add -q - <<< "$SSH_KEY"
          echo "SSH_AUTH_SOCK=$SSH_AUTH_SOCK" >> "$GITHUB_ENV"
          read -ra keys <<< "$SSH_FINGERPRINTS"
          npx --no-install lockage host-key "$TARGET" --accept "\${keys[@]}"
        shell: bash
        env:
          TARGET: \${{ inputs.environment }}
          SSH_KEY: \${{ secrets.LOCKAGE_SSH_KEY }}
          SSH_FINGERPRINTS: \${{ vars.LOCKAGE_SSH_FINGERPRINTS }}
`;
}

function loginSteps(project: Project): string {
  const { repository } = project;
  const [registry = ''] = repository.split('/');
  const cloud = cloudOf(project);
  const login = isOnGitHub(project)
    ? `          registry: ${registry}
          username: \${{ github.actor }}
          password: \${{ github.token }}
`
    : `          registry: ${registry}
          username: \${{ secrets.REGISTRY_USERNAME }}
          password: \${{ secrets.REGISTRY_PASSWORD }}
`;
  const docker = isEmbedded(repository) ? '' : `      - uses: ${actions.dockerLogin}\n        with:\n${login}`;
  return `${cloud ? cloudSteps[cloud] : ''}${docker}`;
}

/** The state's login: a token of this job for one of the cloud's, so that no key of the cloud lies on GitHub. */
const cloudSteps = {
  aws: `      - uses: ${actions.aws}
        with:
          role-to-assume: \${{ vars.AWS_ROLE }}
          aws-region: \${{ vars.AWS_REGION }}
`,
  google: `      - uses: ${actions.google}
        with:
          workload_identity_provider: \${{ vars.GOOGLE_IDENTITY_PROVIDER }}
          service_account: \${{ vars.GOOGLE_SERVICE_ACCOUNT }}
`,
} as const;

function cloudOf({ backend }: Project): keyof typeof cloudSteps | undefined {
  if (backend.startsWith('s3:')) return 'aws';
  return backend.startsWith('gs:') ? 'google' : undefined;
}

function isOnGitHub({ repository }: Project): boolean {
  return repository.startsWith('ghcr.io/');
}

function commonVariables(): string[] {
  return ['LOCKAGE_ACTOR: ${{ github.actor }}@github', 'PULUMI_CONFIG_PASSPHRASE: ${{ secrets.LOCKAGE_PASSPHRASE }}'];
}

/** The variables that a release's secrets are read from, which are secrets of the repository or its environments. */
function secretVariables({ environments }: Project): string[] {
  return variablesOf(environments.flatMap(({ secrets }) => Object.values(secrets)));
}

/** Those of who is told how operations end. */
function toldVariables({ integrations }: Project): string[] {
  const notified = (integrations?.notifications ?? []).flatMap(({ url, secret }) => [url, secret]);
  return variablesOf([...notified, integrations?.github?.token]);
}

function variablesOf(sources: readonly (SecretSource | string | undefined)[]): string[] {
  const given = new Set(['GITHUB_TOKEN', 'PULUMI_CONFIG_PASSPHRASE']);
  return [...new Set(sources.flatMap(variableOf))]
    .filter((name) => !given.has(name))
    .sort()
    .map((name) => `${name}: \${{ secrets.${name} }}`);
}

function variableOf(source: SecretSource | string | undefined): string[] {
  return typeof source === 'object' && 'env' in source ? [source.env] : [];
}

function githubToken({ integrations }: Project): string[] {
  return integrations?.github ? ['GITHUB_TOKEN: ${{ github.token }}'] : [];
}
