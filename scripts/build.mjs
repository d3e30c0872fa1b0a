// Bundles the TypeScript sources into dist/: one file a program plus chunks that they load when a command needs them.
//
//   node scripts/build.mjs                  everything, with source maps
//   node scripts/build.mjs --into FOLDER    what the installed package has
//
// Three things make the command line fast: Pulumi's own heavy dependencies that only serve the serialisation of functions
// are left out, so is its translation of stack traces, and a guard fails the build when something heavy gets into the
// entry.
import './setup/refuse-old-node.mjs';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as esbuild from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const { values: options } = parseArgs({ options: { into: { type: 'string' } } });
const dist = resolve(options.into ?? join(root, 'dist'));
const staleAfter = 24 * 3600_000;

const installed = {
  lockage: 'scripts/cli/main.ts',
  provider: 'infra/provider/plugin.ts',
  'pulumi-program': 'scripts/pulumi/program.ts',
  testing: 'scripts/testing/database.ts',
};
const programs = {
  ...installed,
  setup: 'scripts/setup/main.ts',
  demo: 'scripts/demo/main.ts',
  bench: 'test/bench/main.ts',
  soak: 'test/soak/main.ts',
  'load-worker': 'scripts/load/worker.ts',
};

/** What must not be loaded before a command is known to need it. */
const heavy = /node_modules\/(@pulumi|@grpc|octokit|@octokit|zx|zod|yaml)\//;

// Only the serialisation of functions (dynamic providers, callbacks in the cloud) needs these. The stub lets Pulumi
// load without them and names itself if that ever changes.
const withoutFunctionSerialisation = {
  name: 'without-function-serialisation',
  /** @param {import('esbuild').PluginBuild} build */
  setup(build) {
    const unused = /^(typescript|ts-node|@npmcli\/arborist)$|\/typescript-shim$/;
    build.onResolve({ filter: unused }, ({ path }) => ({ path, namespace: 'left-out' }));
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents: `
        const fail = (key) => {
          throw new Error('${path} is left out of this bundle, so functions cannot be serialised (' + String(key) + ')');
        };
        module.exports = new Proxy(() => {}, { get: (_, key) => (key === '__esModule' ? false : fail(key)) });`,
    }));
  },
};

// Pulumi asks for a stack trace for each resource that is declared, and translating the first one parses the source maps
// of megabytes of bundle: half a second of every promotion. Bundles are not minified, so their traces read well as they are.
const withoutTraceTranslation = {
  name: 'without-trace-translation',
  /** @param {import('esbuild').PluginBuild} build */
  setup(build) {
    build.onResolve({ filter: /^source-map-support$/ }, ({ path }) => ({ path, namespace: 'no-translation' }));
    build.onLoad({ filter: /.*/, namespace: 'no-translation' }, () => ({ contents: 'export function install() {}' }));
  },
};

// CommonJS packages inside an ES module bundle still ask for these three.
const commonJsGlobals = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;`;

const chosen = options.into === undefined ? programs : installed;
const entries = Object.fromEntries(Object.entries(chosen).filter(([, source]) => existsSync(join(root, source))));
try {
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: dist,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: options.into === undefined ? 'linked' : false,
    metafile: true,
    write: false,
    logLevel: 'warning',
    plugins: [withoutFunctionSerialisation, withoutTraceTranslation],
    banner: { js: commonJsGlobals },
  });
  const command = result.outputFiles.find(({ path }) => path === join(dist, 'lockage.mjs'));
  if (command && !command.text.startsWith('#!'))
    throw new Error(`${programs.lockage} must begin with #!/usr/bin/env node`);
  if ('lockage' in entries) guardStartUp(result.metafile, relative(root, join(dist, 'lockage.mjs')));
  await publish(result.outputFiles);
  await publishPlugin();
} catch (error) {
  // esbuild has written its own errors by now, with file and line.
  if (!(error instanceof Error && 'errors' in error)) console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

/** The executable by whose name the Pulumi CLI finds Lockage's provider (`plugins.providers` in Pulumi.yaml). */
async function publishPlugin() {
  const folder = join(dist, 'plugin');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'pulumi-resource-lockage');
  await writeFile(file, '#!/usr/bin/env node\nimport(`${__dirname}/../provider.mjs`);\n', { mode: 0o755 });
  await writeFile(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
}

/**
 * Fails when a heavy package is reachable from the entry by static imports.
 * @param {import('esbuild').Metafile} metafile
 * @param {string} entry
 */
function guardStartUp({ outputs }, entry) {
  const reached = new Set([entry]);
  for (const file of reached) {
    for (const { kind, path } of outputs[file]?.imports ?? []) {
      if (kind === 'import-statement' && path in outputs) reached.add(path);
    }
  }
  const found = [...reached]
    .flatMap((file) => Object.keys(outputs[file]?.inputs ?? {}))
    .filter((input) => heavy.test(input));
  const packages = new Set(found.map((input) => heavy.exec(input)?.[1]));
  if (packages.size > 0) {
    const [first] = found;
    throw new Error(
      `${entry} loads ${[...packages].join(', ')} at start-up (${first}); import it where a command needs it, ` +
        `with await import(…), or import only types`,
    );
  }
}

/**
 * Puts the files in place one rename at a time, chunks before the programs that name them. Older chunks stay for a day:
 * a program that is running now may still load one.
 * @param {import('esbuild').OutputFile[]} files
 */
async function publish(files) {
  const isChunk = (/** @type {string} */ path) => basename(dirname(path)) === 'chunks';
  await mkdir(join(dist, 'chunks'), { recursive: true });
  for (const { path, contents } of files.toSorted((a, b) => Number(isChunk(b.path)) - Number(isChunk(a.path)))) {
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, contents);
    if (path === join(dist, 'lockage.mjs')) await chmod(draft, 0o755);
    await rename(draft, path);
  }
  const current = new Set(files.map(({ path }) => relative(dist, path)));
  for (const name of await readdir(join(dist, 'chunks'))) {
    const path = join(dist, 'chunks', name);
    if (current.has(join('chunks', name))) continue;
    // Another build may have put its draft in place meanwhile.
    const made = (await stat(path).catch(() => undefined))?.mtimeMs ?? Infinity;
    if (Date.now() - made > staleAfter) await rm(path, { force: true });
  }
}
