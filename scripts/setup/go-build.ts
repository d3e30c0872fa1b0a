import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { variablesFor } from '../../infra/system/environment.ts';
import { atLeast } from '../../infra/system/tool-versions.ts';
import { packageRoot } from '../tools/cache.ts';
import { ask, findProgram, rootWords, run } from './command.ts';
import { installPackages } from './packages.ts';
import { StepError } from './step.ts';

// From 1.21 on, Go itself fetches the newer toolchain that a module asks for.
const oldestGo = '1.21';

export interface GoProgram {
  /** folder of this package with the go.mod that pins everything */
  readonly module: string;
  /** the package to build: `.` or an import path */
  readonly source: string;
  /** import path of a variable and its value, set by the linker */
  readonly set?: readonly [name: string, value: string];
  readonly tags?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** path of the binary */
  readonly out: string;
  /** what a person can do instead of building it */
  readonly instead: string;
}

/** Builds a program from Go modules. The binary appears under its name only when it is whole. */
export async function goBuild(program: GoProgram, progress: (line: string) => void): Promise<void> {
  const go = await findGo(program.instead, progress);
  const draft = `${program.out}.${process.pid}`;
  const linker = ['-s', '-w', ...(program.set ? ['-X', program.set.join('=')] : [])].join(' ');
  const tags = program.tags === undefined ? [] : ['-tags', program.tags];
  await mkdir(dirname(program.out), { recursive: true });
  let downloads = 0;
  const onLine = (line: string) => {
    if (!line.startsWith('go: downloading')) return;
    downloads += 1;
    if (downloads === 1) progress('downloading Go modules');
  };
  progress(`go build ${program.source} in ${program.module} (minutes, the first time)`);
  try {
    const folder = join(packageRoot(), program.module);
    const build = ['build', '-buildvcs=false', '-trimpath', ...tags, '-ldflags', linker, '-o', draft, program.source];
    await run([go, '-C', folder, ...build], {
      // Static, so that it runs where another C library is, and needs no C compiler.
      env: { ...variablesFor('go'), CGO_ENABLED: '0', GOWORK: 'off', ...program.env },
      timeout: 2_400_000,
      onLine,
      todo: `check that Go reaches its modules (\`go env GOPROXY\`), or ${program.instead}`,
    });
    await chmod(draft, 0o755);
    await rename(draft, program.out);
  } finally {
    await rm(draft, { force: true });
  }
}

async function findGo(instead: string, progress: (line: string) => void): Promise<string> {
  const go = findProgram('go', ['/usr/local/go/bin', '/usr/lib/go/bin']);
  if (go === undefined) return await installGo(instead, progress);
  const version = await ask([go, 'env', 'GOVERSION'], { env: variablesFor('go') });
  if (version !== undefined && atLeast(version.replace('go', ''), oldestGo)) return go;
  throw new StepError(
    `${go} is ${version ?? 'not usable'}, too old to build this`,
    `install Go ${oldestGo}+, or ${instead}`,
  );
}

async function installGo(instead: string, progress: (line: string) => void): Promise<string> {
  const policy = (await rootWords()) && (await ask(['apt-cache', 'policy', 'golang-go']));
  const candidate = /Candidate: (?:\d+:)?(\d+\.\d+)/.exec(policy ?? '')?.[1];
  if (candidate !== undefined && atLeast(candidate, oldestGo)) {
    await installPackages(['golang-go'], progress);
    const go = findProgram('go');
    if (go !== undefined) return go;
  }
  const offered = candidate === undefined ? '' : `; the golang package of this machine is ${candidate}, too old`;
  throw new StepError(
    `building this needs Go ${oldestGo} or newer${offered}`,
    `install it (https://go.dev/dl/), or ${instead}`,
  );
}
