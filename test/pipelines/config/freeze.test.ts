import { describe, expect, test } from 'vitest';
import { common, load, own, problemsOf } from './files.ts';

const pipeline = `${common}pipeline: [dev, prod]\n`;
const prodFile = 'targets: [ssh://deploy@prod-1.example.com]\n';
const withProd = (text: string, all = '') => [`${pipeline}${all}`, { dev: own, prod: `${prodFile}${text}` }] as const;
const prod = (text: string, all = '') => load(...withProd(text, all)).environments[1];
const windows = (text: string) => prod(`freeze: [{ zone: Europe/Berlin, ${text} }]\n`)?.freeze;
const problems = (text: string) =>
  problemsOf(...withProd(`freeze: [{ ${text} }]\n`)).map((line) => line.replace(/^environments\/prod\.yaml:2 {2}/, ''));
const iso = (moment: number) => new Date(moment).toISOString();

describe('soak', () => {
  test('is none, or what the environment says, or what all say', () => {
    expect(prod('')?.soak).toBeUndefined();
    expect(prod('soak: 2h\n')?.soak).toBe(7_200_000);
    expect(prod('', 'soak: 30m\n')?.soak).toBe(1_800_000);
    expect(prod('soak: 0s\n', 'soak: 30m\n')?.soak).toBeUndefined();
  });

  test('counts nothing before an environment that comes after none', () => {
    expect(load(`${pipeline}soak: 30m\n`, { dev: own, prod: prodFile }).environments[0]?.soak).toBeUndefined();
    expect(problemsOf(pipeline, { dev: `${own}soak: 2h\n`, prod: prodFile })).toEqual([
      'environments/dev.yaml:2  soak  counts nothing: a release comes to dev from no other environment',
    ]);
  });

  test('is a duration', () => {
    expect(problemsOf(...withProd('soak: 2\n'))).toEqual([
      'environments/prod.yaml:2  soak  expected a duration such as 2h, got 2',
    ]);
  });
});

describe('a freeze', () => {
  test('of dates lasts to the end of its last day, in its zone', () => {
    const [window] = windows('from: 2026-12-20, until: 2027-01-02, reason: the feast') ?? [];
    if (window?.kind !== 'fixed') throw new Error('it has dates');
    expect([iso(window.from), iso(window.until)]).toEqual(['2026-12-19T23:00:00.000Z', '2027-01-02T23:00:00.000Z']);
    expect(window).toMatchObject({ zone: 'Europe/Berlin', reason: 'the feast' });
  });

  test('of dates and times begins and ends at these', () => {
    const [window] = windows('from: 2026-07-01T18:00, until: "2026-07-02 06:30", reason: a sale') ?? [];
    if (window?.kind !== 'fixed') throw new Error('it has dates');
    expect([iso(window.from), iso(window.until)]).toEqual(['2026-07-01T16:00:00.000Z', '2026-07-02T04:30:00.000Z']);
  });

  test.each([
    [
      'whole days',
      'days: [sat, sun]',
      [
        { from: 7200, until: 8640 },
        { from: 8640, until: 10_080 },
      ],
    ],
    ['hours of days', 'days: [mon, mon], from: "09:00", until: "17:30"', [{ from: 540, until: 1050 }]],
    [
      'nights, the last of which ends in the next week',
      'days: [fri, sun], from: "16:00", until: "08:00"',
      [
        { from: 6720, until: 7680 },
        { from: 9600, until: 480 },
      ],
    ],
    ['a stretch of every week', 'from: fri 16:00, until: mon 08:00', [{ from: 6720, until: 480 }]],
    ['a stretch to the end of the week', 'from: sat 00:00, until: sun 24:00', [{ from: 7200, until: 10_080 }]],
  ])('of %s', (_case, text, spans) =>
    expect(windows(text)).toEqual([{ kind: 'weekly', zone: 'Europe/Berlin', spans }]),
  );

  test('of an environment takes the place of that of all', () => {
    const all = 'freeze: [{ days: [sat], zone: UTC }]\n';
    expect(prod('', all)?.freeze).toHaveLength(1);
    expect(prod('freeze: []\n', all)?.freeze).toBeUndefined();
    expect(prod('freeze: [{ days: [sun], zone: UTC }]\n', all)?.freeze).toMatchObject([{ spans: [{ from: 8640 }] }]);
  });

  test.each([
    ['days: [sat]', ['freeze[0].zone  is missing: expected a time zone such as Europe/Berlin']],
    [
      'days: [sat], zone: Europe/Berln',
      ['freeze[0].zone  expected a time zone such as Europe/Berlin, got "Europe/Berln", did you mean Europe/Berlin?'],
    ],
    ['days: [sat], zone: "+02:00"', ['freeze[0].zone  expected a time zone such as Europe/Berlin, got "+02:00"']],
    [
      'days: [saturday], zone: UTC',
      ['freeze[0].days[0]  expected one of mon, tue, wed, thu, fri, sat, sun, got "saturday"'],
    ],
    ['days: [], zone: UTC', ['freeze[0].days  expected at least one day']],
    [
      'days: [sat], from: fri 16:00, zone: UTC',
      ['freeze[0].from  expected a time of day such as "16:00", got "fri 16:00"'],
    ],
    [
      'days: [sat], from: "16:00", until: "25:00", zone: UTC',
      ['freeze[0].until  expected a time of day such as "08:00", got "25:00"'],
    ],
    [
      'days: [sat], from: "16:00", until: "16:00", zone: UTC',
      ['freeze[0].until  is the same time as `from`: leave both out for whole days'],
    ],
    ['zone: UTC', ['freeze[0].from  is missing: expected a date, or a day with a time such as "fri 16:00"']],
    [
      'from: tomorrow, until: 2026-12-24, zone: UTC',
      [
        'freeze[0].from  expected a date such as "2026-12-20" or "2026-12-20T18:00", or a day with a time such as "fri 16:00", got "tomorrow"',
      ],
    ],
    [
      'from: 2026-02-30, until: 2026-12-24, zone: UTC, reason: none',
      [
        'freeze[0].from  expected a date such as "2026-12-20" or "2026-12-20T18:00", or a day with a time such as "fri 16:00", got "2026-02-30"',
      ],
    ],
    ['from: 2026-12-24, until: 2026-12-20, zone: UTC, reason: none', ['freeze[0].until  is not later than `from`']],
    [
      'from: 2026-12-24, until: mon 08:00, zone: UTC',
      ['freeze[0].until  expected a date such as "2026-12-20" or "2026-12-20T18:00", got "mon 08:00"'],
    ],
    [
      'from: 2026-12-24, until: 2026-12-26, zone: UTC',
      ['freeze[0].reason  is missing: expected why, for whoever is refused'],
    ],
    ['from: fri 16:00, zone: UTC', ['freeze[0].until  is missing: expected a day with a time such as "mon 08:00"']],
    ['from: fri 16:00, until: fri 16:00, zone: UTC', ['freeze[0].until  is the same time as `from`']],
    ['days: [sat], to: "08:00", zone: UTC', ['freeze[0].to  unknown key']],
  ])('%s is refused', (text, expected) => expect(problems(text)).toEqual(expected));
});
