import { Option, type Command } from 'commander';
import { json, revisionOptions } from './options.ts';

/** Adds `lockage machines …` and `lockage vm-image …`: machines that environments own, and what they are made from. */
export function addMachineCommands(program: Command, interrupt: () => AbortSignal): void {
  addMachines(program, interrupt);
  addImages(program, interrupt);
}

function addMachines(program: Command, interrupt: () => AbortSignal): void {
  const machines = program
    .command('machines')
    .description('the machines that environments make for themselves: start')
    .helpCommand(false);

  machines
    .command('start')
    .argument('[environment]', 'only those of this one')
    .description('start what is recorded of them here, as after a restart of this computer; makes nothing')
    .addOption(json())
    .action(async (name, flags) =>
      (await import('./commands/machines-start.ts')).machinesStartCommand(name, flags, interrupt()),
    );
}

function addImages(program: Command, interrupt: () => AbortSignal): void {
  const image = program
    .command('vm-image')
    .description('the images that environments make their machines from: build, promote, list')
    .helpCommand(false);

  image
    .command('build')
    .argument('[version]', 'semver, as 1.1.0 (default: the next minor version)')
    .description("build an image of today's packages: Debian, kernel, Docker Engine, ssh, hardening")
    .addOption(new Option('--kind <kind>', 'default: each kind that an environment has').choices(['lxc', 'vm']))
    .addOption(json())
    .action(async (version, flags) =>
      (await import('./commands/vm-image.ts')).imageBuildCommand(version, flags, interrupt()),
    );

  revisionOptions(
    image
      .command('promote')
      .argument('<version>', 'an image that was built')
      .requiredOption('-e, --to <environment>', 'whose machines are replaced')
      .description('replace the machines of an environment by new ones of that image, without a failed request'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  $ lockage vm-image build 1.1.0\n  $ lockage vm-image promote 1.1.0 --to qa\n  $ lockage vm-image promote 1.0.0 --to qa   # and back',
    )
    .action(async (version, flags) =>
      (await import('./commands/vm-image.ts')).imagePromoteCommand(version, flags, interrupt()),
    );

  image
    .command('ls')
    .description('the images there are, and which environments run on them')
    .addOption(json())
    .action(async (flags) => (await import('./commands/vm-image.ts')).imageListCommand(flags, interrupt()));
}
