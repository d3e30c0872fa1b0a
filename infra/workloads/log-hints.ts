import type { ContainerSpec } from '../../pipelines/model/container-spec.ts';

interface LogHint {
  readonly sign: RegExp;
  /** says what its configuration has to do with it, or nothing */
  readonly text: (spec: Pick<ContainerSpec, 'role' | 'hardening'>) => string | undefined;
}

const hints: readonly LogHint[] = [
  {
    sign: /EROFS|read-only file ?system/i,
    text: ({ role, hardening }) =>
      hardening.readOnly
        ? `its files are read-only: name the folder in \`hardening.tmpfs\` of ${role}, or set \`hardening.readOnly\` to false`
        : undefined,
  },
  {
    sign: /exec format error/i,
    text: () => 'its program is for another kind of processor than the host has: build the image for that platform',
  },
  {
    sign: /EPERM|operation not permitted/i,
    text: ({ role }) =>
      `it has no Linux capabilities but those in \`hardening.capabilities\` of ${role}, and a program that brings its own ` +
      'also needs `hardening.noNewPrivileges: false`',
  },
  {
    sign: /EACCES|permission denied/i,
    text: ({ role, hardening }) =>
      `it runs as ${hardening.user ?? "the image's user"} and without the rights of root: see \`hardening.user\`, ` +
      `\`hardening.tmpfs\` and \`hardening.capabilities\` of ${role}`,
  },
];

/** Returns what its configuration has to do with what a container wrote; undefined where nothing is known. */
export function logHint(lines: readonly string[], spec: Pick<ContainerSpec, 'role' | 'hardening'>): string | undefined {
  const text = lines.join('\n');
  return hints
    .filter(({ sign }) => sign.test(text))
    .map((hint) => hint.text(spec))
    .find((found) => found !== undefined);
}
