import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { edgeScript } from '../../../infra/edge/script.ts';
import { claimOver, turnOf, withClaim, type Fence, type Turn } from '../../../pipelines/model/fence.ts';
import { record, revision } from '../../pipelines/model/values.ts';
import { EdgeFixture, routesTo } from '../../support/edge-fixture.ts';

let edge: EdgeFixture;
beforeEach(() => {
  edge = new EdgeFixture();
});
afterEach(() => edge.remove());

const upFor = () => Math.floor(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]));

/** Host after a first release of an operation of its own. */
async function serving(release: string): Promise<string> {
  const set = edge.deliver(routesTo(release));
  expect((await edge.run('switch', set, '1:first:0:', '0')).code).toBe(0);
  expect((await edge.run('claim', '1:first:1:')).code).toBe(0);
  return set;
}

describe('whoever was overtaken', () => {
  const { ledger } = record([revision(1, '1.0.0')]);
  const token = ({ revision: number, operation, recorded, over }: Turn) =>
    `${number}:${operation}:${recorded}:${over.join(',')}`;

  async function fence(): Promise<Fence> {
    const { stdout } = await edge.run('show');
    const [number, operation = '', recorded] = /^fence (.*)$/m.exec(stdout)?.[1]?.split(' ') ?? [];
    return { revision: Number(number), operation, recorded: Number(recorded) };
  }

  test.each<[string, string[]]>([
    ['before it had begun', []],
    ['in the middle', ['2:theirs:1:']],
  ])('%s is refused, and whoever took over goes on, and the next one', async (_when, claims) => {
    await serving('old');
    const seen = await fence();
    for (const each of claims) expect((await edge.run('claim', each)).code).toBe(0);
    const claim = claimOver('lock', { ledger }, [await fence(), undefined]);
    expect((await edge.run('claim', token(claim))).code).toBe(0);

    const next = edge.deliver(routesTo('new'));
    expect((await edge.run('claim', '2:theirs:1:')).code).toBe(6);
    expect((await edge.run('switch', next, '2:theirs:1:', '0')).code).toBe(6);

    // Of the same command, by what the hosts had said before it had the lock; then of one that asks them.
    const mine = turnOf({ revision: 2, operation: 'mine', ledger, reports: [{ fence: seen }] });
    expect((await edge.run('claim', token(mine))).code).toBe(6);
    expect((await edge.run('claim', token(withClaim(mine, claim)))).code).toBe(0);
    const later = turnOf({ revision: 2, operation: 'later', ledger, reports: [{ fence: await fence() }] });
    expect((await edge.run('switch', next, token(later), '0')).code).toBe(0);
  });

  test('is refused also by who has an older copy of the state', async () => {
    await serving('old');
    await edge.run('claim', '5:last:5:');
    expect((await edge.run('claim', token(claimOver('lock', { ledger }, [await fence()])))).code).toBe(0);
    expect((await edge.run('claim', '6:theirs:5:')).code).toBe(6);
  });
});

test('no comment is part of what edges run, so that no word in one replaces an edge', () => {
  expect(edgeScript.split('\n').filter((line) => line.trim().startsWith('#'))).toEqual([]);
});

describe('a switch', () => {
  test('answers with what served and with what serves', async () => {
    const before = await serving('old');
    const next = edge.deliver(routesTo('new'));
    const { code, stdout } = await edge.run('switch', next, '2:op:1:', '0');
    expect([code, stdout]).toEqual([0, `previous ${before}\nnow ${next}\n`]);
    expect(await edge.serves()).toBe(next);
  });

  test('is not misled by what a power cut left', async () => {
    const before = await serving('old');
    symlinkSync(`sets/${before}`, edge.live('next'));
    mkdirSync(edge.live(`next.17`));
    const next = edge.deliver(routesTo('new'));
    expect((await edge.run('switch', next, '2:op:1:', '0')).code).toBe(0);
    expect(await edge.serves()).toBe(next);
    await edge.run('tidy');
    expect(readdirSync(edge.live()).filter((name) => name.startsWith('next'))).toEqual([]);
    expect(readdirSync(edge.live('sets', before)).sort()).toEqual(['8000', '8000.fallback', 'to']);
  });

  test.each<[string, (set: string) => void]>([
    ['was never delivered', (set) => rmSync(edge.live('incoming', set), { recursive: true })],
    ['is half written', (set) => rmSync(edge.live('incoming', set, '8000.fallback'))],
    ['lost its content', (set) => writeFileSync(edge.live('incoming', set, '8000'), '')],
    ['has other content than its name says', (set) => writeFileSync(edge.live('incoming', set, '8000'), 'evil:1')],
  ])('is refused to a set that %s', async (_what, spoil) => {
    const before = await serving('old');
    const next = edge.deliver(routesTo('new'));
    spoil(next);
    expect((await edge.run('switch', next, '2:op:1:', '0')).code).toBe(3);
    expect(await edge.serves()).toBe(before);
  });

  test('takes a set that was delivered again for one that is spoilt', async () => {
    await serving('old');
    const next = edge.deliver(routesTo('new'));
    mkdirSync(edge.live('sets', next));
    writeFileSync(edge.live('sets', next, '8000'), 'half');
    expect((await edge.run('switch', next, '2:op:1:', '0')).code).toBe(0);
    expect((await edge.shell('cat', `now/8000`)).stdout).toBe('new:8080');
  });

  test('names where each port sends to, for who reads no files', async () => {
    await serving('old');
    await edge.guard();
    const next = edge.deliver(routesTo('new', 'old'));
    expect((await edge.run('rehearse', next, '2:op:1:')).code).toBe(0);
    expect(readdirSync(edge.live('sets', next, 'to', '8000'))).toEqual(['new:8080,old:8080']);
    // As an edge of before leaves a set, or a host that lost its power.
    const names = edge.live('sets', next, 'to', '8000');
    rmSync(edge.live('sets', next, 'to'), { recursive: true });
    mkdirSync(names, { recursive: true });
    writeFileSync(`${names}/evil:1,evil:1`, '');
    expect((await edge.run('switch', next, '2:op:1:', '0')).code).toBe(0);
    expect(readdirSync(edge.live('now', 'to', '8000'))).toEqual(['new:8080,old:8080']);
  });

  test.each([
    ['keeps the names that it has where files lost their content in a power cut', 'new:8080,old:8080', ''],
    ['gets its names where an edge of before gave it none', undefined, 'new:8080'],
  ])('%s, when the edge starts', async (_what, named, content) => {
    await serving('old');
    const next = edge.deliver(routesTo('new', 'old'));
    expect((await edge.run('switch', next, '2:op:1:', '0')).code).toBe(0);
    if (named === undefined) rmSync(edge.live('now', 'to'), { recursive: true });
    writeFileSync(edge.live('sets', next, '8000'), content);
    expect(await edge.startUp()).toBe(0);
    expect(readdirSync(edge.live('now', 'to', '8000'))).toEqual(['new:8080,old:8080']);
  });

  test('names how many containers a port sends to, if they are several', async () => {
    const set = { 8000: { primary: 'new:8080', fallback: 'old:8080', among: 3, fallbackAmong: 2 } };
    const next = edge.deliver(set);
    expect((await edge.run('switch', next, '2:op:1:', '0')).code).toBe(0);
    expect(readdirSync(edge.live('now', 'to', '8000'))).toEqual(['new:8080,old:8080,3']);
  });

  test('fails where its link cannot be replaced, and says what stands in the way', async () => {
    await serving('old');
    rmSync(edge.live('now'));
    mkdirSync(edge.live('now'));
    const next = edge.deliver(routesTo('new'));
    const { code, stderr } = await edge.run('switch', next, '2:op:1:', '0');
    expect([code, stderr]).toEqual([8, expect.stringContaining('now cannot be written')]);
  });

  test('fails where its folder is gone', async () => {
    await serving('old');
    rmSync(edge.live('sets'), { recursive: true });
    const next = edge.deliver(routesTo('new'));
    expect((await edge.run('switch', next, '2:op:1:', '0')).code).not.toBe(0);
  });
});

describe('the guard', () => {
  test('takes a switch back that nobody confirmed', async () => {
    const before = await serving('old');
    await edge.guard();
    const next = edge.deliver(routesTo('new', 'old'));
    expect((await edge.run('switch', next, '2:op:1:', '1')).code).toBe(0);
    expect(await edge.serves()).toBe(next);
    while ((await edge.serves()) === next) await sleep(50);
    expect(await edge.serves()).toBe(before);
    expect((await edge.run('confirm', next, '2:op:1:')).code).toBe(4);
    expect(await edge.serves()).toBe(before);
  });

  test('is needed for a switch that awaits confirmation', async () => {
    const before = await serving('old');
    const next = edge.deliver(routesTo('new'));
    const refused = await edge.run('switch', next, '2:op:1:', '9');
    expect([refused.code, refused.stderr]).toEqual([7, expect.stringContaining('the guard has ended')]);
    expect(await edge.serves()).toBe(before);
  });

  test('that was killed is told of', async () => {
    const guard = await edge.guard();
    const ended = new Promise((resolve) => guard.once('exit', resolve));
    guard.kill('SIGKILL');
    await ended;
    expect((await edge.run('show')).stdout).toContain('guard dead');
  });

  test('counts by the clock that nobody sets', async () => {
    await serving('old');
    await edge.guard();
    const next = edge.deliver(routesTo('new'));
    expect((await edge.run('switch', next, '2:op:1:', '30')).code).toBe(0);
    const due = Number(readlinkSync(edge.live('pending')).split(' ')[0]);
    expect(Math.abs(due - upFor() - 30)).toBeLessThan(15);
    await edge.run('due');
    expect(await edge.serves()).toBe(next);
  });

  test('takes a switch back after a restart, which begins its clock again', async () => {
    const before = await serving('old');
    const next = edge.deliver(routesTo('new'));
    await edge.run('switch', next, '2:op:1:', '0');
    symlinkSync(`${upFor() + 99_999} op ${before} 20`, edge.live('pending'));
    await edge.run('tidy');
    await edge.guard();
    while ((await edge.serves()) === next) await sleep(50);
    expect([await edge.serves(), existsSync(edge.live('pending'))]).toEqual([before, false]);
  });

  test('takes over what an edge of before noted in a file', async () => {
    const before = await serving('old');
    const next = edge.deliver(routesTo('new'));
    await edge.run('switch', next, '2:op:1:', '0');
    writeFileSync(edge.live('pending'), `5 op ${before}\n`);
    await edge.run('tidy');
    expect(lstatSync(edge.live('pending')).isSymbolicLink()).toBe(true);
    await edge.run('due');
    expect(await edge.serves()).toBe(before);
  });
});

describe('a confirmation', () => {
  /** A switch of operation `op` that was confirmed. */
  async function confirmed() {
    const before = await serving('old');
    await edge.guard();
    const next = edge.deliver(routesTo('new', 'old'));
    const final = edge.deliver(routesTo('new'));
    await edge.run('switch', next, '2:op:1:', '30');
    const said = await edge.run('confirm', final, '2:op:1:', before);
    return { before, final, said };
  }

  test('goes on to the set without a fallback, and can be told twice', async () => {
    const { before, final, said } = await confirmed();
    expect([said.code, said.stdout]).toEqual([0, `previous ${before}\nnow ${final}\n`]);
    expect((await edge.run('confirm', final, '2:op:1:', before)).code).toBe(0);
    expect(readdirSync(edge.live('sets')).sort()).toEqual([before, final, 'none'].sort());
  });

  test('can be taken back by the operation that made it', async () => {
    const { before } = await confirmed();
    expect((await edge.run('revert', '2:op:1:')).stdout).toContain(`now ${before}`);
    expect(await edge.serves()).toBe(before);
  });

  test('cannot be taken back by another one', async () => {
    const { final } = await confirmed();
    expect((await edge.run('revert', '2:other:1:')).code).toBe(6);
    expect(await edge.serves()).toBe(final);
  });

  test('is kept by the next switch', async () => {
    await confirmed();
    await edge.run('claim', '2:op:2:');
    const third = edge.deliver(routesTo('third'));
    expect((await edge.run('switch', third, '3:op3:2:', '0')).code).toBe(0);
    expect((await edge.run('revert', '3:op3:2:')).code).toBe(0);
    expect(await edge.serves()).toBe(third);
  });
});

describe('the fence', () => {
  test.each([
    ['a lower revision', '1:late:0:', 6],
    ['the same revision of another operation', '2:late:1:', 6],
    ['a higher one that knows less than is recorded', '9:late:0:', 6],
    ['an operation that tells none', 'late', 6],
    ['the operation that holds it', '2:op:1:', 0],
    ['one that takes over what was killed', '2:late:1:dead,op', 0],
    ['the same revision once it is recorded', '2:late:2:', 0],
    ['the next revision', '3:late:2:', 0],
  ])('answers %s', async (_who, token, code) => {
    const before = await serving('old');
    await edge.run('claim', '2:op:1:');
    const next = edge.deliver(routesTo('new'));
    const said = await edge.run('switch', next, token, '0');
    expect(said.code).toBe(code);
    expect(await edge.serves()).toBe(code === 0 ? next : before);
    if (code !== 0) expect(said.stderr).toContain('revision 2 of operation op holds the fence (recorded: 1)');
  });

  test('of nobody lets everybody act', async () => {
    const set = edge.deliver(routesTo('old'));
    expect((await edge.run('switch', set, 'token-of-before', '0')).code).toBe(0);
    expect((await edge.run('switch', set, '7:op:6:', '0')).code).toBe(0);
    expect((await edge.run('show')).stdout).toContain('fence 7 op 6');
  });
});

describe('the copy of the record', () => {
  const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
  const keep = (text: string, token: string, hash = hashOf(text)) =>
    edge.given(text, 'sh', edge.live('edge.sh'), 'record', token, hash);
  const kept = () => (existsSync(edge.live('record')) ? readFileSync(edge.live('record'), 'utf8') : undefined);
  const left = () => readdirSync(edge.live()).filter((name) => /^(record\.|lock)/.test(name));

  test('is kept by who holds the fence, which knows the revision as recorded then', async () => {
    await serving('old');
    expect((await keep('two', '2:op:2:')).code).toBe(0);
    expect([kept(), left()]).toEqual(['two', []]);
    expect((await edge.run('show')).stdout).toContain('fence 2 op 2');
    expect((await keep('two, on hold', '2:resume:2:')).code).toBe(0);
    expect(kept()).toBe('two, on hold');
  });

  test.each([
    ['a lower revision', '1:late:1:'],
    ['the same revision of another operation that is not recorded', '2:late:1:'],
    ['a higher one that knows less', '9:late:1:'],
  ])('is not overwritten by %s', async (_who, token) => {
    await serving('old');
    await keep('two', '2:op:2:');
    const { code, stderr } = await keep('late', token);
    expect([code, stderr]).toEqual([6, expect.stringContaining('revision 2 of operation op holds the fence')]);
    expect([kept(), left()]).toEqual(['two', []]);
  });

  test('is the one before where not all of the new one came', async () => {
    await keep('one', '1:op:1:');
    const { code, stderr } = await keep('tw', '2:op:2:', hashOf('two'));
    expect([code, stderr]).toEqual([8, expect.stringContaining('did not arrive as a whole')]);
    expect([kept(), left()]).toEqual(['one', []]);
    expect((await edge.run('show')).stdout).toContain('fence 1 op 1');
  });

  test('stays when the edge tidies up, and what a power cut left beside it goes', async () => {
    await keep('one', '1:op:1:');
    writeFileSync(edge.live('record.17'), 'half');
    await edge.run('tidy');
    expect([kept(), left()]).toEqual(['one', []]);
  });
});

describe('the lock', () => {
  test('lets one command act at a time', async () => {
    await serving('old');
    const sets = Array.from({ length: 8 }, (_, index) => edge.deliver(routesTo(`r${index}`)));
    const said = await Promise.all(sets.map((set) => edge.run('switch', set, '2:op:1:', '0')));
    expect(said.map(({ code }) => code)).toEqual(sets.map(() => 0));
    // Each saw what another one had left, as a whole: every set but the last is the one before of exactly one.
    const before = said.map(({ stdout }) => /previous (.*)/.exec(stdout)?.[1]);
    expect(new Set(before).size).toBe(sets.length);
    for (const [index, { stdout }] of said.entries()) expect(stdout).toContain(`now ${sets[index]}`);
    expect(existsSync(edge.live('lock'))).toBe(false);
  });

  test.each([
    ['a process that is gone', '999999.1.x'],
    ['the same number before a restart', `${process.pid}.1.before`],
  ])('of %s holds nobody up', async (_who, owner) => {
    symlinkSync(owner, edge.live('lock'));
    const set = edge.deliver(routesTo('old'));
    const said = await Promise.all([1, 2, 3].map(() => edge.run('switch', set, '1:op:0:', '0')));
    expect(said.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(readdirSync(edge.live()).filter((name) => /^(dead|lock)/.test(name))).toEqual([]);
  });

  test('of a process that lives is waited for, and named in the end', async () => {
    const holder = edge.start(
      '-c',
      `. "$0" show; trap - EXIT; ln -s "$(identity $$)" lock; read forever`,
      edge.live('edge.sh'),
    );
    holder.kill('SIGKILL');
    const stays = edge.start('-c', 'sleep 600');
    const stat = (await edge.shell('cat', `/proc/${stays.pid}/stat`)).stdout;
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const boot = (await edge.shell('cat', '/proc/sys/kernel/random/boot_id')).stdout.trim();
    rmSync(edge.live('lock'), { force: true });
    symlinkSync(`${stays.pid}.${started}.${boot}`, edge.live('lock'));
    const set = edge.deliver(routesTo('old'));
    const said = await edge.run('switch', set, '1:op:0:', '0');
    expect([said.code, said.stderr]).toEqual([9, expect.stringContaining(`busy: process ${stays.pid}.`)]);
    expect((await edge.run('show')).code).toBe(0);
    expect(readlinkSync(edge.live('lock'))).toContain(`${stays.pid}.`);
  });
});

describe('a visit', () => {
  test('says what show says, and which ports answer who comes by the address of the host', async () => {
    const set = await serving('old');
    await edge.publish();
    const { code, stdout } = await edge.run('visit', '-', '0', '8000', 'shop', '/healthz', '8001', '-', '/');
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        `now ${set}`,
        `gateway ${edge.address}`,
        'port 8000 answers',
        expect.stringMatching(/^port 8001 silent nc: .*refused/),
      ]),
    );
    expect(edge.visitors).toEqual(['/healthz']);
    expect(existsSync(edge.live('lock'))).toBe(false);
  });

  test.each([
    [404, 'port 8000 answers'],
    [302, 'port 8000 answers'],
    [502, 'port 8000 silent HTTP/1.1 502 Bad Gateway'],
  ])('that is answered with %i', async (status, line) => {
    edge.status = status;
    await edge.publish();
    expect((await edge.run('visit', edge.address, '0', '8000', 'shop', '/')).stdout.trim()).toBe(line);
  });

  test('without a page asks nothing behind the port', async () => {
    edge.status = 502;
    await edge.publish();
    expect((await edge.run('visit', edge.address, '0', '8000', '-', '/')).stdout).toBe('port 8000 answers\n');
    expect(edge.visitors).toEqual([]);
  });

  test('finds the address by itself where there is a way out', async () => {
    const { stdout } = await edge.shell('sh', '-c', `unset EDGE_GATEWAY; sh ${edge.live('edge.sh')} visit - 0`);
    const route = await edge.shell('ip', 'route');
    const found = /^default via (\S+)/m.exec(route.stdout)?.[1];
    expect(/^gateway (\S+)$/m.exec(stdout)?.[1]).toBe(found);
  });
});
