/**
 * A pristine database for every test: the sample's suite, sixteen tests at a time, each on a copy of its own; and the time that
 * restoring one before each test would have taken, by the same data in the same database.
 */
import { run } from '../tools/command.ts';
import { durationText } from '../tools/format.ts';
import type { Player } from './player.ts';
import { folders } from './stage.ts';

const tests = 64;
const atOnce = 16;
const restores = 4;

/** Prints the milliseconds of each restore of the database, from a dump of it, in the one of this worker. */
const restoring = `
container=$(docker ps --quiet --filter "publish=$PGPORT")
inside="docker exec --interactive $container"
dump=$($inside pg_dump --host /tmp --username shop shop)
for round in $(seq ${restores}); do
  begin=$(date +%s%N)
  printf 'drop database shop with (force);\\ncreate database shop;\\n\\\\connect shop\\n%s\\n' "$dump" |
    $inside psql --quiet --no-psqlrc --host /tmp --username shop --dbname postgres > /dev/null || exit 1
  echo "restored in $(( ($(date +%s%N) - begin) / 1000000 )) ms"
done`;

export async function aDatabaseForEachTest(player: Player): Promise<void> {
  const at = { folder: folders().project, computer: player.stage.builder, isInside: true };
  await player.lockage(['db', 'bake'], { at });
  const suite = ['node', '--test', '--test-reporter', 'tap', 'app/test/'];
  const words = ['test', '--parallel', String(atOnce), '--per', 'test', '--', ...suite];
  const { stdout, ms } = await player.lockage(words, { at, quiet: true });
  const passed = Number(/^# pass (\d+)/m.exec(stdout)?.[1] ?? 0);
  player.check(
    passed === tests,
    `${passed} tests that change data passed, ${atOnce} at a time, each on a database as it was baked, of its own`,
    `${passed} tests passed in place of ${tests}`,
  );
  const restored = await player.lockage(['test', '--parallel', '1', '--', 'sh', '-c', restoring], { at, quiet: true });
  const times = [...restored.stdout.matchAll(/restored in (\d+) ms/g)].map(([, each]) => Number(each));
  const each = times.reduce((sum, time) => sum + time, 0) / Math.max(1, times.length);
  player.check(
    times.length === restores,
    `to restore it before each test takes ${durationText(each)}, so ${durationText(each * tests)} for ${tests}, one after ` +
      `another and without the tests; all of it took ${durationText(ms)} here`,
    `${times.length} restores of ${restores} were measured`,
  );
  const left = await run([
    'docker',
    '-H',
    player.stage.builder.docker,
    'ps',
    '--all',
    '--quiet',
    '--filter',
    'label=lockage.owner',
  ]);
  player.check(left.trim() === '', 'nothing of any database is left', `left behind: ${left.trim()}`);
}
