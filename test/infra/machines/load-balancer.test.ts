import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseSlots, sendCommands } from '../../../infra/machines/load-balancer/admin.ts';
import { adminSocket, haproxyConfig, shapeOf } from '../../../infra/machines/load-balancer/haproxy-config.ts';

const target = {
  address: '10.71.3.1',
  ports: [80, 8000],
  servers: [
    { name: 'prod-1', address: '10.71.3.11' },
    { name: 'prod-2', address: '10.71.3.12' },
  ],
};

const lines = (text: string, word: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith(word));

describe('the configuration of a load balancer', () => {
  const text = haproxyConfig(target, 'haproxy');

  test('listens at its address alone, on every port', () => {
    expect(lines(text, 'bind')).toEqual(['bind 10.71.3.1:80', 'bind 10.71.3.1:8000']);
  });

  test('sends each port to the same port of all machines, and has places for others', () => {
    expect(lines(text, 'server ').map((line) => line.split(' ')[2])).toEqual([
      '10.71.3.11:80',
      '10.71.3.12:80',
      '10.71.3.11:8000',
      '10.71.3.12:8000',
    ]);
    for (const line of lines(text, 'server-template'))
      expect(line).toMatch(/^server-template slot- 3-150 .* disabled$/);
  });

  test('repeats only what has no effect', () => {
    expect(lines(text, 'http-request disable-l7-retry')[0]).toContain('unless { method GET HEAD OPTIONS }');
  });

  test.each([
    ['nobody', [], [], ''],
    ['two', ['10.0.0.5', '10.1.0.0/16'], ['acl trusted src 10.0.0.5 10.1.0.0/16'], ' unless trusted'],
  ])(
    'keeps what a trusted proxy says of the visitor, and what nobody else says: of %s',
    (_who, trusted, acls, unless) => {
      const made = haproxyConfig({ ...target, ports: [80], trusted });
      expect(lines(made, 'acl')).toEqual(acls);
      expect(lines(made, 'http-request del-header')).toEqual([
        `http-request del-header x-forwarded- -m beg${unless}`,
        `http-request del-header forwarded${unless}`,
        `http-request del-header x-real-ip${unless}`,
      ]);
    },
  );

  test('names any number of trusted proxies: a line has 64 words at most', () => {
    const trusted = Array.from({ length: 130 }, (_, index) => `173.${index}.0.0/16`);
    const made = haproxyConfig({ ...target, ports: [80], trusted });
    const acls = lines(made, 'acl trusted src ').map((line) => line.split(' ').slice(3));
    expect(acls.flat()).toEqual(trusted);
    for (const line of made.split('\n')) expect(line.trim().split(/\s+/).length).toBeLessThanOrEqual(64);
  });

  test('gives up the rights of root where it has them', () => {
    expect([lines(text, 'user'), lines(haproxyConfig(target), 'user')]).toEqual([['user haproxy'], []]);
  });
});

describe('the shape of a load balancer', () => {
  test('is the same with other machines', () => {
    expect(shapeOf({ ...target, servers: [] })).toBe(shapeOf(target));
    expect(haproxyConfig(target)).toContain(`shape-${shapeOf(target)}\n`);
  });

  test.each([
    ['ports', { ...target, ports: [80] }],
    ['an address', { ...target, address: '10.71.4.1' }],
  ])('is another one with other %s', (_, other) => {
    expect(shapeOf(other)).not.toBe(shapeOf(target));
  });
});

test('the statistics of a load balancer tell places in use from resting ones', () => {
  const csv = `# pxname,svname,qcur,scur,status,last_chk,addr,
port-80,slot-1,0,3,UP,"Layer4, ""passed""",10.71.3.11:80,
port-80,slot-2,1,1,DOWN 1/2,,10.71.3.12:80,
port-80,slot-3,0,0,MAINT,,127.0.0.1:9,

`;
  const rest = { section: 'port-80' };
  expect(parseSlots(csv)).toEqual([
    { ...rest, name: 'slot-1', target: '10.71.3.11:80', resting: false, healthy: true, busy: 3 },
    { ...rest, name: 'slot-2', target: '10.71.3.12:80', resting: false, healthy: false, busy: 2 },
    { ...rest, name: 'slot-3', target: '127.0.0.1:9', resting: true, healthy: false, busy: 0 },
  ]);
});

test('an answer of its process without an end is not read', async () => {
  const home = mkdtempSync(join(tmpdir(), 'lockage-admin-'));
  const flood = createServer((socket) => {
    const part = 'x'.repeat(2 ** 20);
    const more = () => void (socket.destroyed || socket.write(part, more));
    socket.on('error', () => undefined).once('data', more);
  });
  await new Promise<void>((resolve) => flood.listen(join(home, adminSocket), resolve));
  try {
    await expect(sendCommands(home, ['show stat'])).rejects.toThrow('the load balancer does not stop talking');
  } finally {
    flood.close();
    rmSync(home, { recursive: true, force: true });
  }
});
