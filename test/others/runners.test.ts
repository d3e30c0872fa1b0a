/**
 * The fixtures of docs/databases.md for the test runners of other languages, as they stand there, each with a suite that needs them.
 * It needs what a developer of each language has; on Debian: python3-pytest python3-pytest-xdist python3-psycopg2 junit5
 * libpostgresql-jdbc-java, a JDK and Go.
 */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { DatabaseShop } from '../support/databases-fixture.ts';
import { command } from '../support/engine-fixture.ts';
import { setupTime } from '../support/pipeline-fixture.ts';

const here = join(packageRoot(), 'test/others');
const jars = ['junit-platform-console-standalone', 'postgresql'];
const libraries = ['junit-jupiter', 'junit-jupiter-api', 'junit-jupiter-engine', 'junit-jupiter-params'];
const platform = ['commons', 'console', 'engine', 'launcher', 'reporting'].map((part) => `junit-platform-${part}`);
const others = ['opentest4j', 'opentest4j-reporting-events', 'opentest4j-reporting-schema', 'apiguardian-api'];
const classPath = [...jars, ...libraries, ...platform, ...others, 'picocli', 'univocity-parsers']
  .map((name) => `/usr/share/java/${name}.jar`)
  .join(':');

/** Returns a code block of the docs. */
async function shown(language: string): Promise<string> {
  const page = await readFile(join(packageRoot(), 'docs/databases.md'), 'utf8');
  const found = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(page)?.[1];
  if (found === undefined) throw new Error(`docs/databases.md shows no ${language}`);
  return found;
}

describe('the documented way', () => {
  let shop: DatabaseShop;

  beforeAll(async () => {
    shop = await DatabaseShop.open();
    for (const part of ['pytest', 'junit', 'go'])
      await cp(join(here, part), join(shop.folder, part), { recursive: true });
    const imports = ['bufio', 'encoding/json', 'net/http', 'os', 'testing'].map((name) => `import "${name}"\n`);
    await writeFile(join(shop.folder, 'pytest/conftest.py'), await shown('python'));
    await writeFile(join(shop.folder, 'go/database_test.go'), `package shop\n${imports.join('')}${await shown('go')}`);
    await writeFile(join(shop.folder, 'junit/Database.java'), await shown('java'));
    await command('go', '-C', join(shop.folder, 'go'), 'mod', 'download');
    const sources = ['Database.java', 'ShopTest.java'].map((name) => join(shop.folder, 'junit', name));
    await command('javac', '-cp', classPath, '-d', join(shop.folder, 'junit'), ...sources);
    await shop.succeed('db', 'bake');
  }, setupTime);

  afterAll(async () => shop?.remove());

  const run = async (...words: string[]) => {
    const { code, stdout, stderr } = await shop.run('test', '--parallel', '3', ...words);
    expect(code, stdout + stderr).toBe(0);
    expect(await shop.left()).toEqual([]);
    return stdout;
  };

  test('of pytest: a database for each test', async () => {
    const said = await run('--per', 'test', '--', '/usr/bin/python3', '-m', 'pytest', '-n', '3', '-k', 'own', 'pytest');
    expect(said).toContain('8 passed');
  });

  test('of pytest: a database for each worker', async () => {
    const said = await run('--', '/usr/bin/python3', '-m', 'pytest', '-n', '3', '-k', 'worker', 'pytest');
    expect(said).toContain('8 passed');
  });

  test('of go test', async () => {
    const said = await run('--per', 'test', '--', 'go', '-C', 'go', 'test', '-count', '1', '-v', './...');
    expect(said.match(/--- PASS: TestJobs\//g)).toHaveLength(8);
  });

  test('of JUnit', async () => {
    const launcher = ['org.junit.platform.console.ConsoleLauncher', '--scan-class-path', 'junit'];
    const parallel = ['--config', 'junit.jupiter.execution.parallel.enabled=true'];
    const java = ['java', '-cp', `${classPath}:junit`, ...launcher, ...parallel, '--disable-banner'];
    expect(await run('--per', 'test', '--', ...java)).toMatch(/8 tests successful/);
  });
});
