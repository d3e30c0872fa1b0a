import { expect, test } from 'vitest';
import { bootAdvice } from '../../../infra/adapters/machines/boot.ts';
import { bootUnit, bootUnitName } from '../../../infra/machines/boot.ts';

const command = {
  app: 'shop',
  root: '/srv/100% "shop"',
  argv: ['/usr/bin/node', '/opt/$lockage/lockage.mjs', 'start'],
};

test('two clones of an application have two units', () => {
  const other = { ...command, root: '/srv/other' };
  expect(bootUnitName(command)).toMatch(/^lockage-machines-shop-[0-9a-f]+\.service$/);
  expect(bootUnitName(other)).not.toBe(bootUnitName(command));
});

test('a unit that cannot read its record at the start is told with what it lacks', () => {
  const project = { app: 'shop', root: '/srv/shop' };
  expect(bootAdvice({ ...project, backend: 'file:///srv/shop/.lockage/state' })).toBeUndefined();
  const edit = `\`systemctl edit ${bootUnitName(project)}\``;
  expect(bootAdvice({ ...project, backend: 's3://states' })).toContain(edit);
});

test('a unit means the very words, whatever is in them', () => {
  const lines = bootUnit(command).split('\n');
  expect(lines).toContain('WorkingDirectory=/srv/100%% "shop"');
  expect(lines).toContain('ExecStart="/usr/bin/node" "/opt/$$lockage/lockage.mjs" "start"');
});
