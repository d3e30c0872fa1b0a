// Which folder may import what. test/imports.test.ts holds the same rules in every test run.
const forbid = (name, from, to, comment) => ({ name, severity: 'error', comment, from, to });

module.exports = {
  forbidden: [
    forbid(
      'pipelines-stand-alone',
      { path: '^pipelines/' },
      { path: '^(infra|scripts|environments|test)/' },
      'The core decides; those that act import it, never the other way round.',
    ),
    forbid(
      'pipelines-are-pure',
      { path: '^pipelines/' },
      {
        path: [
          'node_modules/(@pulumi|zx|octokit|@octokit)/',
          '^(node:)?(fs|fs/promises|child_process|http|https|net|tls|dgram|process|os)$',
        ],
      },
      'The core reads no disk, network or machine: hand it what it needs as arguments.',
    ),
    forbid(
      'infra-on-pipelines',
      { path: '^infra/' },
      { path: '^(scripts|test)/' },
      'What declares the infrastructure knows nothing of the command line.',
    ),
    forbid('scripts-without-tests', { path: '^scripts/' }, { path: '^test/' }, 'Programs do not need their tests.'),
    forbid(
      'automation-in-one-place',
      { pathNot: '^infra/pulumi/(stacks|program-server)\\.ts$|^test/real/plain-pulumi\\.test\\.ts$' },
      { path: 'node_modules/@pulumi/pulumi/automation/', dependencyTypesNot: ['type-only'] },
      'infra/pulumi/stacks.ts alone drives the Pulumi engine, with the program that is served beside it.',
    ),
    forbid(
      'programs-in-one-place',
      { path: '^(infra|scripts)/', pathNot: '^infra/system/process\\.ts$|\\.mjs$' },
      { path: '^(node:)?child_process$', dependencyTypesNot: ['type-only'] },
      'infra/system/process.ts alone starts programs, so that none gets variables it should not see.',
    ),
    forbid(
      'zx-in-one-place',
      { pathNot: '^scripts/tools/shell\\.ts$|^node_modules/' },
      { path: 'node_modules/zx/' },
      'scripts/tools/shell.ts alone runs shell commands through zx.',
    ),
    forbid(
      'octokit-in-one-place',
      { path: '^(infra|pipelines|scripts|test)/', pathNot: '^infra/github/client\\.ts$' },
      { path: 'node_modules/(octokit|@octokit)/' },
      'infra/github/client.ts alone speaks to GitHub, within its limits.',
    ),
    forbid(
      'semver-in-one-place',
      { path: '^(infra|pipelines|scripts|test)/', pathNot: '^pipelines/model/version\\.ts$' },
      { path: 'node_modules/semver/' },
      'pipelines/model/version.ts alone says what a version is.',
    ),
    forbid(
      'no-cycles',
      { path: '^(pipelines|infra|scripts)/' },
      { circular: true },
      'Two modules that need each other are one, also where one needs a type only.',
    ),
    forbid(
      'no-cycles-in-tests',
      { path: '^test/' },
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
      'Two modules that need each other are one.',
    ),
    forbid('no-unknown', {}, { couldNotResolve: true }, 'The import leads nowhere.'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'types'] },
  },
};
