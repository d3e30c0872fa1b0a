import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ProviderContext } from '../../../infra/context/provider-context.ts';
import type { Engine } from '../../../infra/docker/api/client.ts';
import { setName, withoutFallback } from '../../../infra/edge/edge.ts';
import { servingAnswers } from '../../../infra/hosts/serving-answers.ts';
import { rehearseSwitch } from '../../../infra/provider/rehearse.ts';
import { revertRoutes, switchRoutes } from '../../../infra/provider/switch-routes.ts';
import { takeTurn } from '../../../infra/provider/turn.ts';
import { watchRelease } from '../../../infra/provider/watch.ts';
import {
  LockageError,
  OvertakenError,
  PartialError,
  RolledBackError,
  WorkloadFailedError,
} from '../../../pipelines/errors.ts';
import type { DesiredState } from '../../../pipelines/model/desired-state.ts';
import { hostWith, spec } from '../../pipelines/model/values.ts';
import { contextIn } from '../../support/context-fixture.ts';
import { EdgeFixture, routesTo } from '../../support/edge-fixture.ts';

let fixtures: Record<'prod-1' | 'prod-2', EdgeFixture>;
let context: ProviderContext;
const old = routesTo('old');
const next = routesTo('new', 'old');
const turn = { revision: 2, operation: 'op', recorded: 1, over: [] };
const hosts = ['prod-1', 'prod-2'].map((name) => ({ host: hostWith(name), set: next }));
const place = { app: 'shop', environment: 'prod', operation: 'x', hosts, turn };

beforeEach(async () => {
  fixtures = { 'prod-1': new EdgeFixture(), 'prod-2': new EdgeFixture() };
  const engines = Object.fromEntries(Object.entries(fixtures).map(([name, edge]) => [name, edge.engine(name)]));
  context = {
    ...contextIn(fixtures['prod-1'].live('..')),
    engine: async ({ name }: { name: string }) => engines[name] as unknown as Engine,
  };
  await Promise.all(
    Object.values(fixtures).map(async (edge) => {
      await edge.run('switch', edge.deliver(old), '1:first:0:', '0');
      await edge.guard();
      await edge.publish();
      edge.deliver(next);
      edge.deliver(withoutFallback(next));
      edge.asked.length = 0;
    }),
  );
});
afterEach(() => Object.values(fixtures).forEach((edge) => edge.remove()));

const served = () => Promise.all(Object.values(fixtures).map((edge) => edge.serves()));
const route = { publish: 8000, port: 8080 };
const both = (set: typeof old) => [setName(set), setName(set)];
const errorOf = async (work: Promise<unknown>): Promise<LockageError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LockageError) return error;
  throw new Error(`expected a LockageError, got ${String(error)}`);
};

describe('a rehearsal on all hosts', () => {
  const rehearse = (given = turn) => errorOf(rehearseSwitch(context, { ...place, turn: given, containers: [] }));
  const ofBefore = (...names: (keyof typeof fixtures)[]) => {
    for (const name of names) writeFileSync(fixtures[name].live('edge.sh'), 'echo "unknown command" >&2; exit 2');
  };

  test('whose edges are of before is no failure of a rollback', async () => {
    ofBefore('prod-1', 'prod-2');
    expect(await rehearse()).toMatchObject({
      name: 'NotStartedError',
      details: [expect.stringMatching(/^prod-1: .* cannot rehearse/), expect.stringMatching(/^prod-2: /)],
    });
  });

  test('is a failure where one of them could not switch, whatever another is', async () => {
    ofBefore('prod-1');
    rmSync(fixtures['prod-2'].live('sets'), { recursive: true, maxRetries: 10, retryDelay: 100 });
    const { name, details } = await rehearse();
    expect([name, details.length]).toEqual(['LockageError', 2]);
  });

  test('fails while the public port of one refuses everybody', async () => {
    fixtures['prod-2'].unpublish();
    expect((await rehearse()).message).toMatch(/^prod-2: port 8000 does not answer visitors: .*refused/);
  });

  test('of whoever was overtaken is theirs who took over, on however many', async () => {
    for (const edge of Object.values(fixtures)) await edge.run('claim', '9:theirs:8:');
    expect(await rehearse()).toBeInstanceOf(OvertakenError);
  });
});

test('who is asked whether it serves as before says so only where its public port answers', async () => {
  const serving = hosts.map(({ host }) => ({ host, spec: spec('old', host.name, { route }) }));
  const state = { app: 'shop', environment: 'prod', ledger: { revisions: [] }, serving, fallback: [] };
  const faults = async () => {
    const answers = await servingAnswers(context, state as unknown as DesiredState);
    return answers.map(({ fault = '' }) => /port 8000[^;]*|its traffic[^;]*/.exec(fault)?.[0]);
  };
  fixtures['prod-2'].unpublish();
  expect(await faults()).toEqual([undefined, expect.stringMatching(/^port 8000 does not answer visitors: .*refused/)]);
  await switchRoutes(context, { ...place, guard: 0 });
  expect((await faults())[0]).toBe('its traffic goes elsewhere than before');
});

describe('a switch of all hosts', () => {
  test('is one call to each of them', async () => {
    await switchRoutes(context, { ...place, guard: 0 });
    expect(await served()).toEqual(both(withoutFallback(next)));
    expect(Object.values(fixtures).map(({ asked }) => asked)).toEqual([['switch'], ['switch']]);
  });

  test('that one refuses is taken back on the others', async () => {
    fixtures['prod-2'].refuses = ['switch'];
    const error = await errorOf(switchRoutes(context, { ...place, guard: 30 }));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(error.details).toEqual(['prod-2: prod-2 is gone']);
    expect(await served()).toEqual(both(old));
  });

  test('does not begin while the public port of one refuses everybody', async () => {
    fixtures['prod-2'].unpublish();
    const error = await errorOf(switchRoutes(context, { ...place, guard: 30 }));
    expect([error.constructor, error.message]).toEqual([RolledBackError, 'no host switched, as not every one answers']);
    expect(error.details).toEqual([expect.stringMatching(/^prod-2: port 8000 does not answer visitors: .*refused/)]);
    expect(Object.values(fixtures).map(({ asked }) => asked.includes('switch'))).toEqual([false, false]);
  });

  test('whose answer is lost is taken back there too', async () => {
    fixtures['prod-2'].loses = ['switch'];
    expect(await errorOf(switchRoutes(context, { ...place, guard: 30 }))).toBeInstanceOf(RolledBackError);
    expect(await served()).toEqual(both(old));
  });

  test('that another operation overtook changes nothing', async () => {
    for (const edge of Object.values(fixtures)) await edge.run('claim', '2:other:1:');
    for (const guard of [0, 30]) {
      expect(await errorOf(switchRoutes(context, { ...place, guard }))).toBeInstanceOf(OvertakenError);
      expect(await served()).toEqual(both(old));
    }
  });

  test('that is final and stands on some hosts only says so', async () => {
    await fixtures['prod-2'].run('claim', '2:other:1:');
    const error = await errorOf(switchRoutes(context, { ...place, guard: 0 }));
    expect(error).toBeInstanceOf(PartialError);
    expect(error.details).toEqual([expect.stringContaining('prod-2: prod-2: revision 2 of operation other')]);
    expect(await served()).toEqual([setName(withoutFallback(next)), setName(old)]);
  });
});

describe('a watch', () => {
  const web = (on: string) => spec('web-2.0.0', on, { route: { publish: 8000, port: 8080 } });
  const containers = hosts.map(({ host }) => ({ host, spec: web(host.name) }));
  const watch = { ...place, duration: 0, guarded: true, containers, stop: [] };
  beforeEach(() => switchRoutes(context, { ...place, guard: 30 }));

  test('asks for the page of the health check through the public port of each host', async () => {
    await watchRelease(context, watch);
    expect(await served()).toEqual(both(withoutFallback(next)));
    expect(Object.values(fixtures).map(({ visitors }) => visitors)).toEqual([['/healthz'], ['/healthz']]);
  });

  test('takes all hosts back when one answers visitors that nothing is there', async () => {
    fixtures['prod-2'].status = 502;
    const error = await errorOf(watchRelease(context, watch));
    expect([error.constructor, error.message, error.details]).toEqual([
      RolledBackError,
      'visitors of prod-2 are not served by the release',
      ['prod-2: port 8000 does not answer visitors: HTTP/1.1 502 Bad Gateway'],
    ]);
    expect(await served()).toEqual(both(old));
  });

  test('takes all hosts back when the load balancer before them serves nobody', async () => {
    const folder = join(context.machines.loadBalancers, 'prod');
    mkdirSync(folder, { recursive: true });
    const manifest = { app: 'shop', environment: 'prod', address: '127.0.0.1', ports: [1], servers: [] };
    writeFileSync(join(folder, 'front.json'), JSON.stringify(manifest));
    const error = await errorOf(watchRelease(context, watch));
    expect([error.message, error.details]).toEqual([
      'visitors of the load balancer are not served by the release',
      [expect.stringMatching(/^port 8000 does not answer visitors: .*ECONNREFUSED/)],
    ]);
    expect(await served()).toEqual(both(old));
  });

  test('takes all hosts back before it asks why a container stopped, and asks for five seconds at most', async () => {
    fixtures['prod-1'].runs = false;
    const begun = performance.now();
    const error = await errorOf(watchRelease(context, watch));
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(error).toBeInstanceOf(WorkloadFailedError);
    expect(error.message).toBe('prod-1: web 2.0.0 stopped after the routes switched (exit code 7)');
    expect(error.details).toEqual([
      'its files are read-only: name the folder in `hardening.tmpfs` of web, or set `hardening.readOnly` of web to false',
      'last log lines of web-2.0.0:',
      '  EROFS: read-only file system, open \\u001b[31m/app/x',
    ]);
    const { asked } = fixtures['prod-1'];
    expect(asked.indexOf('revert')).toBeGreaterThan(0);
    expect(asked.indexOf('revert')).toBeLessThan(asked.indexOf('logs'));
    expect(await served()).toEqual(both(old));
  });

  test('takes all hosts back when one serves another set than it was told', async () => {
    rmSync(fixtures['prod-1'].live('now'));
    symlinkSync(`sets/${setName(old)}`, fixtures['prod-1'].live('now'));
    const error = await errorOf(watchRelease(context, watch));
    expect(error.details).toEqual([`prod-1: serves ${setName(old)} instead of ${setName(next)}`]);
    expect(await served()).toEqual(both(old));
  });

  test('believes the host itself where only containers are kept from its ports', async () => {
    for (const edge of Object.values(fixtures)) await edge.publishForHostOnly();
    await watchRelease(context, watch);
    expect(await served()).toEqual(both(withoutFallback(next)));
    expect(fixtures['prod-1'].made).toHaveLength(1);
  });
});

describe('a turn', () => {
  test('is refused where one host knows of a later operation', async () => {
    await fixtures['prod-2'].run('claim', '3:other:2:');
    const { turn: mine, app, environment } = place;
    const asked = { app, environment, operation: 'x', turn: mine, hosts: hosts.map(({ host }) => host) };
    const error = await errorOf(takeTurn(context, asked));
    expect([error.constructor, error.message]).toEqual([OvertakenError, 'another operation has taken over prod']);
  });

  test('leaves a host that does not answer to those who need it', async () => {
    fixtures['prod-2'].refuses = ['claim'];
    const { app, environment } = place;
    await takeTurn(context, { app, environment, operation: 'x', turn, hosts: hosts.map(({ host }) => host) });
    expect((await fixtures['prod-1'].run('show')).stdout).toContain('fence 2 op 1');
  });
});

describe('a confirmation', () => {
  const watch = { ...place, duration: 0, guarded: true, containers: [], stop: [] };
  beforeEach(() => switchRoutes(context, { ...place, guard: 30 }));

  test('makes the switch final on all hosts', async () => {
    await watchRelease(context, watch);
    expect(await served()).toEqual(both(withoutFallback(next)));
  });

  test('that reaches one host only is taken back on both', async () => {
    fixtures['prod-2'].refuses = ['confirm'];
    const error = await errorOf(watchRelease(context, watch));
    expect([error.constructor, error.details]).toEqual([RolledBackError, ['prod-2: prod-2 is gone']]);
    expect(await served()).toEqual(both(old));
  });

  test('whose answer is lost is taken back there too', async () => {
    fixtures['prod-1'].loses = ['confirm'];
    expect(await errorOf(watchRelease(context, watch))).toBeInstanceOf(RolledBackError);
    expect(await served()).toEqual(both(old));
  });

  test('of a host that is gone then is told as what it is', async () => {
    fixtures['prod-2'].loses = ['confirm'];
    fixtures['prod-2'].refuses = ['revert'];
    const error = await errorOf(watchRelease(context, watch));
    expect(error).toBeInstanceOf(PartialError);
    expect(error.details).toContain('may serve the new release: prod-2: prod-2 is gone');
    expect(await served()).toEqual([setName(old), setName(withoutFallback(next))]);
  });

  test.each<[string, readonly string[], readonly string[]]>([
    ['brings back what had to end first where all of it is taken back', [], ['stop web-2.0.0', 'start web-1.0.0']],
    ['leaves what started in its place where a host may serve that', ['revert'], []],
  ])('%s', async (_name, lost, expected) => {
    fixtures['prod-2'].refuses = ['confirm', ...lost];
    const [first] = hosts;
    const placed = (name: string) => (first ? [{ host: first.host, spec: spec(name) }] : []);
    const stopFirst = { roles: ['web'], start: placed('web-2.0.0'), before: placed('web-1.0.0'), serving: [] };
    await errorOf(watchRelease(context, { ...watch, stopFirst }));
    expect(fixtures['prod-1'].moves.filter((move) => move.includes('web'))).toEqual(expected);
  });

  test('leaves alone what another operation has taken over', async () => {
    for (const edge of Object.values(fixtures)) await edge.run('claim', '2:other:1:op');
    expect(await errorOf(watchRelease(context, watch))).toBeInstanceOf(OvertakenError);
    expect(await served()).toEqual(both(next));
    const left = await revertRoutes(context, place);
    expect(left.map(({ host }) => host)).toEqual(['prod-1', 'prod-2']);
  });
});
