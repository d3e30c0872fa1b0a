/** The report of a soak, as a page. */
import { bytesText, durationText } from '../../scripts/tools/format.ts';
import {
  failuresOf,
  isGood,
  lostKinds,
  wasAway,
  type Call,
  type Failure,
  type Journal,
  type Sizes,
  type Step,
} from './journal.ts';

/** Failures that the page lists; the rest is counted. */
const listed = 50;

/** Returns the report in Markdown. */
export function reportOf(journal: Journal): string {
  const parts = [
    headOf(journal),
    ...[resultOf(journal), requestsOf(journal), lostOf(journal)],
    stepsOf(journal, 'operation', 'Operations'),
    stepsOf(journal, 'fault', 'Faults'),
    callsOf(journal.calls),
    wrongOf(journal),
    sizesOf(journal),
  ];
  const text = parts.flat().join('\n');
  return `${text.replaceAll(/\n{3,}/g, '\n\n').trim()}\n\n<!-- prettier-ignore-end -->\n`;
}

function headOf({ startedAt, ms, minutes, seed, machine, stopped }: Journal): string[] {
  const { cores, model, memory, kernel, docker } = machine;
  const planned = stopped ? `, stopped before its ${minutes} minutes were over` : '';
  return [
    '# Soak',
    '',
    '<!-- prettier-ignore-start -->',
    '',
    `${durationText(ms)}${planned}, from ${new Date(startedAt).toISOString().slice(0, 16).replace('T', ' ')} UTC, by`,
    `\`npm run soak -- --minutes ${minutes} --seed ${seed}\`: operations and faults in random order on an environment of three`,
    'hosts, reached by ssh, with two roles, a secret and an accessory, while visitors ask each host all the time. After each step',
    'all has to be as it is recorded, on all hosts, and nothing else may be there.',
    '',
    `Machine: ${cores} cores (${model}), ${bytesText(memory)} of memory, Linux ${kernel}, Docker ${docker}. All hosts, the`,
    'registry, the visitors and the operators share it.',
    '',
  ];
}

function resultOf(journal: Journal): string[] {
  const { steps, calls, requests, renewed, lookedAgain } = journal;
  const wrong = steps.filter((step) => step.wrong.length > 0).length;
  const failed = total(failuresOf(requests));
  const verdict = isGood(journal) ? '**All of it held.**' : '**Not all of it held.**';
  return [
    verdict,
    '',
    '| | |',
    '| --- | --- |',
    `| steps | ${counted(steps, 'operation')} operations, ${counted(steps, 'fault')} faults |`,
    `| commands | ${calls.length} |`,
    `| steps after which something was wrong | ${wrong} |`,
    `| steps after which something was right at a second look only | ${lookedAgain} |`,
    `| environment made anew | ${renewed} |`,
    `| requests | ${number(requests.sent)} |`,
    `| requests that failed | ${number(failed)} |`,
    `| lost | ${lostText(journal)} |`,
    '',
  ];
}

function requestsOf({ requests }: Journal): string[] {
  const { sent, sentAway, failures, absences, seconds } = requests;
  const excused = failures.filter((failure) => wasAway(failure, absences));
  const failed = failuresOf(requests);
  const reasons = [...new Set(absences.map(({ why }) => why))].sort();
  const rows = reasons.map((why) => {
    const own = absences.filter((absence) => absence.why === why);
    const ms = own.reduce((sum, { from, to = from }) => sum + to - from, 0);
    const count = total(failures.filter((failure) => wasAway(failure, own)));
    return `| ${why} | ${own.length} | ${durationText(ms)} | ${number(count)} |`;
  });
  return [
    '## Requests',
    '',
    `${number(sent)} requests in ${number(seconds)} s, half of them on connections of their own and one a second and host`,
    `that takes a second; ${number(sentAway)} of them were sent to a host while it was away, and ${number(total(excused))} of those`,
    `failed. Of all others ${number(total(failed))} failed${failed.length === 0 ? '.' : ':'}`,
    '',
    ...(failed.length === 0 ? [] : failureRows(failed)),
    ...(rows.length === 0
      ? []
      : [
          '| a host was away, as | times | of all hosts together | requests failed then |',
          '| --- | ---: | ---: | ---: |',
          ...rows,
        ]),
    '',
  ];
}

function failureRows(failed: readonly Failure[]): string[] {
  const rows = failed
    .slice(0, listed)
    .map(
      ({ at, host, kind, count, during }) =>
        `| ${new Date(at).toISOString().slice(11, 23)} | ${host} | ${kind} | ${count} | ${during} |`,
    );
  const more = failed.length > listed ? [`| … | | | ${total(failed.slice(listed))} | |`] : [];
  return [
    '| moment | host | failure | requests | going on |',
    '| --- | --- | --- | ---: | --- |',
    ...rows,
    ...more,
    '',
  ];
}

function lostText({ steps }: Journal): string {
  const all = steps.flatMap(({ wrong }) => wrong);
  const found = lostKinds.flatMap((kind) => {
    const count = all.filter(({ lost }) => lost === kind).length;
    return count === 0 ? [] : [`${kind} (${count})`];
  });
  return found.length === 0 ? 'nothing' : found.join(', ');
}

function lostOf(journal: Journal): string[] {
  return [
    '## Lost',
    '',
    `Containers, volumes and the data of an accessory, secrets, records: ${lostText(journal)}.`,
    '',
  ];
}

function stepsOf({ steps }: Journal, kind: Step['kind'], title: string): string[] {
  const own = steps.filter((step) => step.kind === kind);
  if (own.length === 0) return [];
  const names = [...new Set(own.map(({ name }) => name))].sort();
  const rows = names.map((name) => {
    const same = own.filter((step) => step.name === name);
    const wrong = same.filter((step) => step.wrong.length > 0).length;
    return `| ${name} | ${same.length} | ${times(same.map(({ ms }) => ms))} | ${wrong} |`;
  });
  return [
    `## ${title}`,
    '',
    'Times are of the whole step, with all of its commands.',
    '',
    '| step | times | median | longest | wrong |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
  ];
}

function callsOf(calls: readonly Call[]): string[] {
  const names = [...new Set(calls.map(({ name }) => name))].sort();
  const rows = names.map((name) => {
    const same = calls.filter((call) => call.name === name);
    const codes = [...new Set(same.map(({ code }) => String(code ?? 'killed')))].sort();
    const counts = codes.map(
      (code) => `${code} × ${same.filter((call) => String(call.code ?? 'killed') === code).length}`,
    );
    return `| \`${name}\` | ${same.length} | ${times(same.map(({ ms }) => ms))} | ${counts.join(', ')} |`;
  });
  return [
    '## Commands',
    '',
    'Also those that were refused, stopped or killed.',
    '',
    '| command | times | median | longest | exit codes |',
    '| --- | ---: | ---: | ---: | --- |',
    ...rows,
    '',
  ];
}

function wrongOf({ steps }: Journal): string[] {
  const wrong = steps.filter((step) => step.wrong.length > 0);
  if (wrong.length === 0) return [];
  const lines = wrong.flatMap((step) => [
    `- ${new Date(step.at).toISOString().slice(11, 19)}, step ${step.number}, ${step.name}:`,
    ...step.wrong.map(({ text }) => `  - ${text.replaceAll('\n', ' ')}`),
  ]);
  return ['## Wrong', '', ...lines, ''];
}

function sizesOf({ sizes }: Journal): string[] {
  if (!sizes) return [];
  const { begin, end } = sizes;
  const row = (what: string, of: (sizes: Sizes) => string) => `| ${what} | ${of(begin)} | ${end ? of(end) : ''} |`;
  return [
    '## Room',
    '',
    'On all three hosts together, before the first step and after the last one.',
    '',
    '| | begin | end |',
    '| --- | ---: | ---: |',
    row('containers', ({ containers }) => String(containers)),
    row('volumes', ({ volumes }) => String(volumes)),
    row('networks', ({ networks }) => String(networks)),
    row('images', ({ images }) => String(images)),
    row("the engines' disks", ({ hosts }) => bytesText(hosts)),
    row("the registry's disk", ({ registry }) => bytesText(registry)),
    row("the operator's `.lockage`", ({ state }) => bytesText(state)),
    row("the engines' memory", ({ engines }) => bytesText(engines)),
    row("the machine's free memory", ({ available }) => bytesText(available)),
    '',
  ];
}

function times(all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b);
  return [sorted[Math.floor((sorted.length - 1) / 2)] ?? 0, sorted.at(-1) ?? 0].map(durationText).join(' | ');
}

const counted = (steps: readonly Step[], kind: Step['kind']) => steps.filter((step) => step.kind === kind).length;
const total = (failures: readonly Failure[]) => failures.reduce((sum, { count }) => sum + count, 0);
const number = (value: number) => value.toLocaleString('en');
