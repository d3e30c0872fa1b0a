import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { oldNode } from '../../../scripts/setup/node-version.mjs';

const scripts = resolve(import.meta.dirname, '../../../scripts');

test.each([
  ['20.11.0', false],
  ['20.20.2', false],
  ['21.0.0', false],
  ['24.21.0', false],
  ['20.10.9', true],
  ['18.19.0', true],
  ['9.0.0', true],
])('Node.js %s is too old: %s', (version, isOld) => {
  if (isOld) expect(oldNode(version)).toContain(`Node.js ${version} is too old: install 20.11 or newer`);
  else expect(oldNode(version)).toBeUndefined();
});

// The first import is the first to run; one after it would already need what an old Node.js does not have.
test.each(['cli/main.ts', 'setup.mjs', 'run.mjs', 'build.mjs', 'package.mjs', 'nodes.mjs'])(
  '%s refuses an old one before anything else',
  (file) => {
    const [first] = /import .*/.exec(readFileSync(join(scripts, file), 'utf8')) ?? [];
    expect(first).toMatch(/^import '\.\.?\/setup\/refuse-old-node\.mjs';$/);
  },
);
