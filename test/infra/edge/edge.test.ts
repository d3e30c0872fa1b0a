import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Edge, isNamed, setName, withoutFallback } from '../../../infra/edge/edge.ts';
import { LockageError, OvertakenError } from '../../../pipelines/errors.ts';
import type { Turn } from '../../../pipelines/model/fence.ts';
import { EdgeFixture, routesTo } from '../../support/edge-fixture.ts';

let host: EdgeFixture;
let edge: Edge;
beforeEach(() => {
  host = new EdgeFixture();
  edge = new Edge(host.engine('prod-1'), 'shop-prod-edge');
});
afterEach(() => host.remove());

const turn = (revision: number, operation: string, over: string[] = []): Turn => ({
  revision,
  operation,
  recorded: revision - 1,
  over,
});

test('a delivered set is switched to by its name, and the one before is told', async () => {
  const [first, second] = [routesTo('old'), routesTo('new', 'old')];
  await edge.prepare([first, second]);
  expect(await edge.switch(setName(first), turn(1, 'a'), 0)).toBe('none');
  expect(await edge.switch(setName(second), turn(2, 'b'), 0)).toBe(setName(first));
  expect(await edge.show()).toEqual({
    now: setName(second),
    fence: { revision: 2, operation: 'b', recorded: 1 },
    guarded: false,
  });
});

test('a set of many ports has the name that its host finds', async () => {
  const set = {
    ...routesTo('web'),
    443: { primary: 'web:1', fallback: 'old:1' },
    80: { primary: 'a:2', fallback: 'b:3', among: 4 },
  };
  await edge.prepare([set, {}]);
  expect(await edge.switch(setName(set), turn(1, 'a'), 0)).toBe('none');
  expect(await edge.switch(setName({}), turn(1, 'a'), 0)).toBe(setName(set));
});

test('a set that was named in an earlier way is known again', () => {
  const set = routesTo('web');
  expect([isNamed(setName(set), set), isNamed('set-none', set)]).toEqual([true, false]);
  const ofTwo = { 8000: { primary: 'web:8080', fallback: 'web:8080', among: 2 } };
  expect([isNamed(setName(set), ofTwo), setName(ofTwo) === setName(set)]).toEqual([true, false]);
});

test('a set that the host does not have is undefined', async () => {
  expect(await edge.switch(setName(routesTo('new')), turn(1, 'a'), 0)).toBeUndefined();
});

test('a host that another operation has taken over says which', async () => {
  await edge.prepare([routesTo('new')]);
  await edge.claim(turn(7, 'bob'));
  const calls = [
    () => edge.claim(turn(6, 'anna')),
    () => edge.switch(setName(routesTo('new')), turn(7, 'anna'), 0),
    () => edge.confirm(setName(routesTo('new')), turn(7, 'anna'), []),
    () => edge.revert(turn(7, 'anna')),
  ];
  for (const call of calls) {
    const error = await call().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OvertakenError);
    expect(String(error)).toContain('prod-1: revision 7 of operation bob holds the fence');
  }
});

test('an operation that was killed is taken over by who names it', async () => {
  await edge.claim(turn(7, 'dead'));
  await edge.claim(turn(7, 'anna', ['dead']));
  await expect(edge.claim(turn(7, 'dead'))).rejects.toThrow('revision 7 of operation anna');
});

test('a host that serves another set than it says it switched to fails the switch', async () => {
  const set = setName(routesTo('new'));
  writeFileSync(host.live('edge.sh'), 'echo previous none; echo now other');
  await expect(edge.switch(set, turn(1, 'a'), 0)).rejects.toThrow('serves another set of routes than it was told');
});

test('an edge of before is asked what it serves, and takes no turn', async () => {
  const set = setName(withoutFallback(routesTo('new')));
  const script =
    'case $1 in show) echo "now $LIVE" ;; switch) echo set-old ;; *) echo "unknown command $1" >&2; exit 2 ;; esac';
  writeFileSync(host.live('edge.sh'), script.replace('$LIVE', set));
  expect(await edge.switch(set, turn(1, 'a'), 0)).toBe('set-old');
  await edge.claim(turn(1, 'a'));
  expect(await edge.visit([{ port: 8000 }])).toMatchObject({ now: set, silent: [] });
  writeFileSync(host.live('edge.sh'), script.replace('$LIVE', 'set-old'));
  await expect(edge.switch(set, turn(1, 'a'), 0)).rejects.toBeInstanceOf(LockageError);
});

test('an edge of before cannot rehearse, which says nothing of a switch', async () => {
  writeFileSync(host.live('edge.sh'), 'echo "unknown command $1" >&2; exit 2');
  await expect(edge.rehearse(setName(routesTo('new')), turn(1, 'a'))).rejects.toMatchObject({
    name: 'NotStartedError',
    message: 'prod-1: the edge proxy is of an earlier version, and cannot rehearse a switch',
    hint: expect.stringContaining('Promote the serving version again'),
  });
});

test('unhealthy is what was asked; what could not be asked is an error', async () => {
  const server = createServer((request, response) => response.writeHead(request.url === '/well' ? 200 : 503).end());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const at = { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const once = { times: 1, interval: 50, seconds: 0 };
  try {
    expect(await edge.probe({ ...at, path: '/well' }, once)).toBe(true);
    expect(await edge.probe({ ...at, path: '/ill' }, once)).toBe(false);
    const heard: string[] = [];
    const all = { port: at.port, path: '/well', host: 'shop' };
    const hear = { onAnswer: (from: string, answer: string) => void heard.push(`${from} ${answer}`) };
    expect(await edge.probeAll(['127.0.0.1', '127.0.0.2'], all, once, hear)).toBe(false);
    expect(heard.sort()[0]).toBe('127.0.0.1 ok 1');
    rmSync(host.live('edge.sh'));
    await expect(edge.probe({ ...at, path: '/well' }, once)).rejects.toThrow('the health check could not be run');
    await expect(edge.probeAll(['127.0.0.1'], all, once)).rejects.toThrow('the health check could not be run');
  } finally {
    server.close();
  }
});

test('a rehearsal needs all that a switch needs, and changes nothing', async () => {
  const [first, second] = [routesTo('old'), routesTo('new', 'old')];
  await edge.prepare([first, second]);
  await edge.switch(setName(first), turn(1, 'a'), 0);
  const before = await edge.show();
  const rehearse = (set: string, by = turn(2, 'b')) =>
    edge.rehearse(set, by).then(
      () => 'would work',
      (error: Error) => error.message,
    );
  expect(await rehearse(setName(second))).toMatch(/the guard has ended/);
  await host.guard();
  expect(await rehearse(setName(second))).toBe('would work');
  expect(await rehearse('routes-0123456789abcdef')).toMatch(/no set/);
  expect(await rehearse(setName(second), turn(0, 'late'))).toMatch(/holds the fence/);
  expect(await edge.show()).toEqual({ ...before, guarded: true });
});

describe('a copy of the record', () => {
  const text = JSON.stringify({
    revisions: Array.from({ length: 500 }, (_, number) => ({ number, version: '1.0.0' })),
  });

  test('is read back as it was given, and is a small part of its length', async () => {
    expect(await edge.record()).toBeUndefined();
    await edge.keepRecord({ ...turn(1, 'a'), recorded: 1 }, text);
    expect(await edge.record()).toBe(text);
    expect(statSync(host.live('record')).size).toBeLessThan(text.length / 5);
    expect((await edge.show()).fence).toEqual({ revision: 1, operation: 'a', recorded: 1 });
  });

  test('of who was overtaken is refused', async () => {
    await edge.keepRecord({ ...turn(2, 'b'), recorded: 2 }, text);
    await expect(edge.keepRecord({ ...turn(1, 'a'), recorded: 1 }, '{}')).rejects.toThrow(OvertakenError);
    expect(await edge.record()).toBe(text);
  });

  test('that is spoilt is told from none', async () => {
    await edge.keepRecord({ ...turn(1, 'a'), recorded: 1 }, text);
    truncateSync(host.live('record'), 100);
    await expect(edge.record()).rejects.toThrow('prod-1: its copy of the record is spoilt');
  });

  test('is not kept by an edge of before, which is claimed', async () => {
    const script = readFileSync(host.live('edge.sh'), 'utf8');
    writeFileSync(host.live('edge.sh'), script.replace('\n  record)\n', '\n  other)\n'));
    await edge.keepRecord({ ...turn(1, 'a'), recorded: 1 }, text);
    expect([await edge.record(), (await edge.show()).fence?.recorded]).toEqual([undefined, 1]);
  });
});
