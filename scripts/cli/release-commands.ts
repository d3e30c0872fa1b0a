import { Option, type Command } from 'commander';
import { json, skipHooks } from './options.ts';

/** Adds `lockage release`. */
export function addReleaseCommand(program: Command, interrupt: () => AbortSignal): void {
  program
    .command('release')
    .argument('[version]', 'semver, as 1.4.0')
    .description('build the image from a clean git tree, push it and record its digest')
    .addOption(
      new Option('--bump <part>', 'next version after the latest release').choices(['patch', 'minor', 'major']),
    )
    .option('--image <ref>', 'adopt an image that was built elsewhere, by its digest')
    .option('--allow-dirty', 'build although there are uncommitted changes; recorded')
    .option('--schema <number>', 'the schema that its migration brings data to (default: as configured)')
    .option(
      '--compatible <number>',
      'the oldest schema whose code runs with that (default: as configured, or the same)',
    )
    .addOption(skipHooks())
    .addOption(json())
    .addHelpText(
      'after',
      '\nExamples:\n  $ lockage release 1.4.0\n  $ lockage release --bump minor\n  $ lockage release 1.4.0 --image registry.example.com/shop:build-812',
    )
    .action(async (given, flags) => (await import('./commands/release.ts')).releaseCommand(given, flags, interrupt()));
}

/** Adds `lockage releases` and `lockage releases push`. */
export function addReleasesCommands(program: Command, interrupt: () => AbortSignal): void {
  const releases = program
    .command('releases')
    .description('the releases there are, and how far each one came; `releases push` copies them to a registry')
    .helpCommand(false)
    .addOption(json())
    .action(async (flags) => (await import('./commands/releases.ts')).releasesCommand(flags, interrupt()));

  releases
    .command('push')
    .requiredOption('--to <repository>', 'where to, without a tag, as registry.example.com/shop')
    .description("copy all releases from this computer's own registry to another one, with the same digests")
    .addOption(json())
    .addHelpText('after', '\nExamples:\n  $ lockage releases push --to registry.example.com/shop')
    .action(async (flags) => (await import('./commands/releases-push.ts')).releasesPushCommand(flags, interrupt()));
}
