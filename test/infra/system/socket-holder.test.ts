import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ancestors,
  holderOf,
  parseLsof,
  parseTcpTable,
  stillHolds,
  withDescendants,
} from '../../../infra/system/socket-holder.ts';

const onLinux = process.platform === 'linux';
const server = createServer();
let socket: Socket;
let connection: { from: number; to: number };

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  connection = { from: socket.localPort ?? 0, to: port };
});

afterAll(() => {
  socket.destroy();
  server.close();
});

test.runIf(onLinux)('a connection is held by the process that made it, until it closes it', async () => {
  const other = createServer((each) => each.resume());
  await once(other.listen(0, '127.0.0.1'), 'listening');
  const { port } = other.address() as AddressInfo;
  const short = connect(port, '127.0.0.1');
  await once(short, 'connect');
  const found = await holderOf({ from: short.localPort ?? 0, to: port }, async () => [process.pid]);
  expect(found?.pid).toBe(process.pid);
  expect(found && (await stillHolds(found))).toBe(true);
  short.destroy();
  await once(short, 'close');
  expect(found && (await stillHolds(found))).toBe(false);
  other.close();
});

test.runIf(onLinux)('a connection of another process is held by none of these', async () => {
  expect(await holderOf(connection, async () => [process.ppid, 1])).toBeUndefined();
  expect(await holderOf(connection, async () => [])).toBeUndefined();
});

test.runIf(onLinux)('a connection that is not there is held by nobody', async () => {
  expect(await holderOf({ ...connection, from: 1 }, async () => [process.pid])).toBeUndefined();
});

test.runIf(onLinux)('what a process started counts to it, and what started it does not', async () => {
  const script = `
    import('node:child_process').then(({ spawn }) => {
      const child = spawn('sleep', ['5']);
      console.log(child.pid);
      process.stdin.on('data', () => { child.kill(); process.exit(); });
    })`;
  const parent = spawn(process.execPath, ['-e', script]);
  const [printed] = (await once(parent.stdout, 'data')) as [Buffer];
  const found = await withDescendants([parent.pid ?? 0]);
  expect(found).toContain(Number(printed.toString()));
  expect(found).not.toContain(process.pid);
  expect(await withDescendants([process.pid])).toContain(Number(printed.toString()));
  parent.stdin.end('end');
  await once(parent, 'close');
});

test('the process that started this one is among its ancestors', async () => {
  const found = await ancestors();
  expect(found[0]).toBe(process.ppid);
  expect(found).not.toContain(process.pid);
});

test('a row of the kernel tells user and socket by both ports', () => {
  const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const row = (local: string, remote: string, uid: number, inode: number) =>
    `   7: ${local} ${remote} 01 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 ${inode} 1 0 20 4 30 10 -1\n`;
  const table =
    head +
    row('0100007F:1F90', '0100007F:C350', 0, 11) +
    row('0200007F:C350', '0100007F:1F90', 1000, 12) +
    row('0100007F:C350', '0100007F:1F90', 65534, 13) +
    row('0100007F:C351', '0100007F:1F90', 0, 0);
  expect(parseTcpTable(table, { from: 50_000, to: 8080 })).toEqual({ uid: 65_534, socket: 'socket:[13]' });
  // Nobody has the end of one that is being closed.
  expect(parseTcpTable(table, { from: 50_001, to: 8080 })).toBeUndefined();
  expect(parseTcpTable(table, { from: 50_002, to: 8080 })).toBeUndefined();
});

test('lsof names the process before its connections', () => {
  const text = 'p17\nn127.0.0.1:50000\np42\nn127.0.0.1:8080->127.0.0.1:50000\nn127.0.0.1:50000->127.0.0.1:8080\n';
  expect(parseLsof(text, { from: 50_000, to: 8080 })).toBe(42);
  expect(parseLsof(text, { from: 50_001, to: 8080 })).toBeUndefined();
  expect(parseLsof('', { from: 50_000, to: 8080 })).toBeUndefined();
});

test.runIf(spawnSync('lsof', ['-v']).status === 0)('lsof prints a connection so', () => {
  const filter = ['-a', '-p', String(process.pid), `-iTCP@127.0.0.1:${connection.from}`];
  const { stdout } = spawnSync('lsof', ['-nP', ...filter, '-Fpn'], { encoding: 'utf8' });
  expect(parseLsof(stdout, connection)).toBe(process.pid);
});
