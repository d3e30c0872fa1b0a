import { existsSync, lstatSync } from 'node:fs';
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { namePattern, nameRule } from '../../pipelines/config/schema/names.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { stateFolderName } from './state-folder.ts';

const files = ['lockage.yaml', 'environments/dev.yaml', 'environments/prod.yaml', 'Pulumi.yaml'];
/** What the templates have for the engine of this computer. */
const usualEngine = 'unix:///var/run/docker.sock';
const ignored = `${stateFolderName}/`;

export interface InitOptions {
  readonly cwd: string;
  /** name of the application; absent: made from the folder's name */
  readonly app?: string | undefined;
  /** replace files that are in the way */
  readonly force?: boolean | undefined;
  /** the Docker Engine of this computer; absent: at `unix:///var/run/docker.sock` */
  readonly engine?: string | undefined;
}

/**
 * Writes a first configuration that loads as it is, and returns the paths it created or changed, relative to `cwd`.
 * @throws LockageError (refused) if the name is unusable, or listing the files that are in the way.
 */
export async function init({ cwd, app, force = false, engine }: InitOptions): Promise<string[]> {
  const name = appName(cwd, app);
  const inTheWay = files.filter((file) => lstatSync(path.join(cwd, file), { throwIfNoEntry: false }) !== undefined);
  if (inTheWay.length > 0 && !force) {
    throw new LockageError('nothing was written: there are files in the way', {
      details: inTheWay,
      hint: 'Move them away, or replace them with `lockage init --force`.',
    });
  }
  const port = await exposedPort(path.join(cwd, 'Dockerfile'));
  const contents = await Promise.all(files.map((file) => fromTemplate(file, { name, port, engine })));

  const created: string[] = [];
  try {
    for (const [index, file] of files.entries()) {
      await mkdir(path.join(cwd, path.dirname(file)), { recursive: true });
      // Without force, a file that appeared since the check above is not overwritten either.
      await writeFile(path.join(cwd, file), contents[index] ?? '', { flag: force ? 'w' : 'wx' });
      created.push(file);
    }
    if (await ignore(path.join(cwd, '.gitignore'))) created.push('.gitignore');
  } catch (error) {
    if (!force) await Promise.all(created.map((file) => rm(path.join(cwd, file), { force: true })));
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new LockageError(`cannot write the configuration in ${cwd}: ${code}`, { cause: error });
  }
  return created;
}

function appName(cwd: string, app: string | undefined): string {
  const slug = (app ?? path.basename(path.resolve(cwd)))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  if (app === undefined) return slug === '' ? 'app' : slug;
  if (namePattern.test(app)) return app;
  throw new LockageError(`${JSON.stringify(app)} is not a name: ${nameRule}`, {
    hint:
      slug === '' ? 'For example, run `lockage init --app shop`.' : `For example, run \`lockage init --app ${slug}\`.`,
  });
}

/** Returns the first TCP port of the last EXPOSE lines, which are those of the stage that becomes the image. */
async function exposedPort(dockerfile: string): Promise<number | undefined> {
  const text = await readFile(dockerfile, 'utf8').catch(() => '');
  const finalStage = text.split(/^\s*FROM\s/im).at(-1) ?? '';
  const words = [...finalStage.matchAll(/^\s*EXPOSE\s+(.+)$/gim)].flatMap(([, ports = '']) =>
    ports.trim().split(/\s+/),
  );
  const numbers = words.map((word) => /^(\d{1,5})(?:\/tcp)?$/i.exec(word)?.[1]).map(Number);
  return numbers.find((port) => port >= 1 && port <= 65535);
}

/** The values that a template is filled with. */
interface Values extends Pick<InitOptions, 'engine'> {
  readonly name: string;
  readonly port: number | undefined;
}

/** Returns whether YAML reads a name as text, and not as a number or as one of its words. */
function isText(name: string): boolean {
  return parse(name) === name;
}

async function fromTemplate(file: string, { name, port, engine }: Values): Promise<string> {
  const folder = templateFolder();
  const text = await readFile(path.join(folder, file), 'utf8');
  const schemas = path.posix.join(
    path.posix.dirname(file) === '.' ? '.' : '..',
    'node_modules/lockage/environments/schema',
  );
  const named = text
    .replaceAll('SCHEMAS', schemas.startsWith('.') ? schemas : `./${schemas}`)
    .replace(/^(app|name): my-app$/m, (_, key) => `${key}: ${isText(name) ? name : JSON.stringify(name)}`)
    .replaceAll('my-app', name)
    .replaceAll(usualEngine, engine ?? usualEngine);
  if (port === undefined || file !== 'lockage.yaml') return named;
  return named
    .replace(
      '# The port that the containers listen on.',
      '# The port that the containers listen on: EXPOSE in the Dockerfile.',
    )
    .replace('port: 8080', `port: ${port}`);
}

/**
 * Returns the folder of templates: they are files of the package, whether this runs from its sources or from its
 * bundle.
 */
function templateFolder(): string {
  for (let folder = import.meta.dirname; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'environments', 'template');
    if (existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder)) throw new Error('environments/template is missing from the package');
  }
}

/** Adds the folder of local state to .gitignore, unless it is there; returns whether the file was changed. */
async function ignore(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text.split(/\r?\n/).some((line) => /^\/?\.lockage\/?$/.test(line.trim()))) return false;
  await appendFile(file, `${text === '' || text.endsWith('\n') ? '' : '\n'}${ignored}\n`);
  return true;
}
