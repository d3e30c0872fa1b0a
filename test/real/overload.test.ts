import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CaddyEdge, freePorts } from '../support/caddy-edge.ts';
import { drive } from '../support/driver.ts';
import { labsWork } from '../support/pipeline-fixture.ts';

// An edge gets a small share of the processor, so that it is what is at its limit, and not whoever asks.
describe.runIf(labsWork)('an edge', () => {
  let edge: CaddyEdge;
  let port: number;

  beforeEach(async () => {
    edge = new CaddyEdge();
    [port = 0] = await freePorts(1);
  });
  afterEach(() => edge.remove());

  /** Returns the seconds until a second of a moderate load is answered as a whole. */
  const untilCalm = async () => {
    const started = performance.now();
    for (;;) {
      const { answered, refused, failed } = await drive({ port, connections: 10, seconds: 0.5, rate: 60 });
      const took = (performance.now() - started) / 1000;
      if ((answered >= 24 && refused + failed === 0) || took > 20) return took;
    }
  };

  test('answers ten times its visitors as fast as it can, and calm ones again within five seconds', async () => {
    await edge.startWithin({ cpus: 0.3, connections: 64 }, [port]);
    const web = await edge.release((_, response) => response.end('well'));
    await edge.switchTo({ [port]: { primary: web, fallback: web } });
    const usual = () => drive({ port, connections: 50, seconds: 4 });
    const before = await usual();
    const over = await drive({ port, connections: 500, seconds: 10, patient: true });
    const took = await untilCalm();
    const after = await usual();
    // Others who take the processor meanwhile take it from all three.
    const able = Math.min(before.perSecond, after.perSecond);
    expect(over.perSecond / able, JSON.stringify([before, over, after])).toBeGreaterThanOrEqual(0.8);
    expect([over.failed, over.refused > 0, took <= 5, edge.runs]).toEqual([0, true, true, true]);
  });

  test('that has little memory serves again when more have come than it has room for', async () => {
    await edge.startWithin({ memory: 96 * 2 ** 20 }, [port]);
    const web = await edge.release((asked, response) => void asked.resume().on('end', () => response.end('well')));
    await edge.switchTo({ [port]: { primary: web, fallback: web } });
    const load = { port, connections: 3000, patient: true };
    const answered = [
      (await drive({ ...load, seconds: 6 })).answered,
      (await drive({ ...load, seconds: 6, body: 5000 })).answered,
    ];
    expect(
      answered.map((count) => count > 100),
      String(answered),
    ).toEqual([true, true]);
    const took = await untilCalm();
    expect([took <= 5, edge.runs], String(took)).toEqual([true, true]);
  });

  test('at its limit loses no request over twelve switches of releases, each found by its name', async () => {
    await edge.startWithin({ cpus: 0.3 }, [port]);
    const release = async (version: number) => {
      const primary = await edge.releaseOf(`web-${version}`, [(_, response) => response.end(String(version))]);
      return { primary, fallback: primary };
    };
    await edge.switchTo({ [port]: await release(0) });
    const asking = [{}, { fresh: true, connections: 5 }, { body: 2000, connections: 10 }].map((kind) =>
      drive({ port, connections: 50, seconds: 9, ...kind }),
    );
    for (let version = 1; version <= 12; version += 1) {
      await sleep(500);
      await edge.switchTo({ [port]: await release(version) });
      await sleep(200);
      edge.retire();
    }
    const [kept, fresh, posts] = await Promise.all(asking);
    for (const kind of [kept, fresh, posts]) expect(kind).toMatchObject({ failed: 0, refused: 0 });
    expect((await edge.ask(port, '/')).body).toBe('12');
  });
});
