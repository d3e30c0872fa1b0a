import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokenError, InterruptedError, LockedError, messageOf, RolledBackError } from '../../../pipelines/errors.ts';
import { lastNumber } from '../../../pipelines/model/fence.ts';
import type { Ledger } from '../../../pipelines/model/revision.ts';
import type { OperationName, RequestOf } from '../../../pipelines/operations/perform.ts';
import type { Fault, Outcome } from './command.ts';
import type { SimulatedContainer } from './container.ts';
import type { Fleet, Operator } from './fleet.ts';
import { StateFolder } from './stacks.ts';

const environment = 'prod';
const host = 'prod-2';

/** A command, whose it is, and what happens to it. */
export interface CommandStep {
  readonly words: keyof typeof commands;
  readonly who: 'anna' | 'bert';
  readonly fault?: Pick<Fault, 'kind' | 'at'>;
  /** what the other one does while its computer sleeps, once its lease is over */
  readonly meanwhile?: keyof typeof commands;
}

/** Something that is done to hosts by hand, or to the folder of the state, or that befalls a host. */
export interface HandStep {
  readonly hand: keyof typeof hands;
}

export type Step = CommandStep | HandStep;

type Run = (fleet: Fleet, operator: Operator, fault?: Fault) => Promise<Outcome>;

const command =
  <Name extends OperationName>(name: Name, request: () => RequestOf<Name>): Run =>
  (fleet, operator, fault) =>
    fleet.run(operator, name, request(), fault);
const promote = (version: string) => command('promote', () => ({ environment, version }));

/** The commands, as they are written. */
export const commands = {
  'promote 1.0.0': promote('1.0.0'),
  'promote 2.0.0': promote('2.0.0'),
  'promote 3.0.0': promote('3.0.0'),
  'promote 4.0.0': promote('4.0.0'),
  rollback: command('rollback', () => ({ environment, startedAt: Date.now() })),
  'rollback --drill': command('drill', () => ({ environment, startedAt: Date.now() })),
  resume: command('resume', () => ({ environment })),
  'host cordon': command('cordon', () => ({ environment, host })),
  'host uncordon': command('uncordon', () => ({ environment, host })),
  heal: command('heal', () => ({ environment })),
  prune: command('prune', () => ({ environment })),
  adopt: command('adopt', () => ({ environment })),
} satisfies Record<string, Run>;

/** What a person or a power cut does. */
export const hands = {
  reboot: (model: Model) => model.fleet.engine(host).reboot(),
  'docker stop': (model: Model) => model.damage(async (engine, each) => void (await engine.stop(each, 1000))),
  'docker rm -f': (model: Model) =>
    model.damage(async (engine, each) => engine.remove(each, { force: true, withVolumes: true })),
  'docker update': (model: Model) => model.damage(async (engine, each) => engine.update(each, { Memory: 4_000_000 })),
  'docker network disconnect': (model: Model) => model.damage(async (_engine, each) => void (each.networks = {})),
  'a crash': (model: Model) => model.damage(async (engine, each) => engine.crash(each)),
  'cp state': async (model: Model) => model.copyState(),
  'an older state': async (model: Model) => model.takeOlderState(),
  unplug: async (model: Model) => void (model.fleet.unplugged = host),
  plug: async (model: Model) => void (model.fleet.unplugged = undefined),
} satisfies Record<string, (model: Model) => Promise<void>>;

type Act = (engine: Fleet['engines'][number], container: SimulatedContainer) => Promise<void>;

/** Carries out steps on a fleet, and says after each which promise does not hold. */
export class Model {
  readonly fleet: Fleet;
  readonly #operators: Readonly<Record<CommandStep['who'], Operator>>;
  /** how commands ended, in order */
  readonly ends: string[] = [];
  /** somebody has changed hosts by hand, and nothing has put that right yet */
  #isDamaged = false;

  private constructor(fleet: Fleet, operators: Readonly<Record<CommandStep['who'], Operator>>) {
    this.fleet = fleet;
    this.#operators = operators;
  }

  /** Returns a model of a fleet that serves a release, and has the one before as its standby. */
  static async start(fleet: Fleet): Promise<Model> {
    const [anna, bert] = [await fleet.operator('anna@desk'), await fleet.operator('bert@lab')];
    const model = new Model(fleet, { anna, bert });
    for (const words of ['promote 1.0.0', 'promote 2.0.0'] as const) {
      const { code, error } = await commands[words](fleet, anna);
      if (code !== 0) throw new Error(`${words} ended with ${code}`, { cause: error });
    }
    return model;
  }

  /** Carries out a step. Returns what does not hold after it. */
  async carryOut(step: Step): Promise<string[]> {
    if ('hand' in step) {
      await hands[step.hand](this);
      return [];
    }
    return step.fault?.kind === 'asleep' ? this.#asleep(step) : this.#command(step);
  }

  /** A command sleeps, and another operator takes over. What it does when it is awake again changes nothing of that. */
  async #asleep({ words, who, fault, meanwhile = 'rollback' }: CommandStep): Promise<string[]> {
    const problems: string[] = [];
    const seen = { serves: await this.#serves(), code: -1 as number | undefined };
    const other = who === 'anna' ? 'bert' : 'anna';
    const asleep = {
      ...{ kind: 'asleep' as const, at: fault?.at ?? 1 },
      meanwhile: async () => {
        await this.#afterKill();
        const outcome = await commands[meanwhile](this.fleet, this.#operators[other]);
        if (outcome.code === 70) problems.push(`${other}: ${meanwhile} ends with ${messageOf(outcome.error)}`);
        Object.assign(seen, { serves: await this.#serves(), code: outcome.code });
      },
    };
    const { code, error } = await commands[words](this.fleet, this.#operators[who], asleep);
    this.ends.push(`${code}/${seen.code}`);
    const now = await this.#serves();
    const what = `${who}: ${words} (asleep at ${typeof fault?.at === 'number' ? fault.at : 'a call'}, ${meanwhile} ends with ${seen.code}) ends with ${code}`;
    if (code === 70) problems.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
    // Of one that had nothing left to do but to end, nothing is taken over.
    if (seen.code === 0 && isSwitch(meanwhile) && now.join() !== seen.serves.join())
      problems.push(`${what}: it is otherwise now: ${seen.serves.join(', ')} → ${now.join(', ')}`);
    const isExcused = this.#isDamaged || this.fleet.unplugged !== undefined;
    return [...problems, ...unanswered(seen.serves, now, isExcused).map((each) => `${what}: ${each}`)];
  }

  /** Returns what visitors are answered, and which containers run. */
  async #serves(): Promise<string[]> {
    return [...(await this.fleet.answers()), ...this.fleet.running()];
  }

  /** Whatever was before: with a few commands all is well again, and nothing is left. */
  async makeWell(): Promise<string[]> {
    this.fleet.unplugged = undefined;
    await this.#afterKill();
    if (this.#isBehind()) this.#copyState('newest', 'state');
    const problems: string[] = [];
    for (const words of ['resume', 'host uncordon', 'promote 4.0.0', 'heal'] as const) {
      const { code, error } = await commands[words](this.fleet, this.#operators.anna);
      if (code !== 0) problems.push(`in the end, ${words} ends with ${code}: ${messageOf(error)}`);
    }
    const answers = await this.fleet.answers();
    if (answers.some((each) => !each.endsWith(' 4.0.0')))
      problems.push(`in the end, visitors get ${answers.join(', ')}`);
    if (this.fleet.locks().length > 0) problems.push(`in the end, locks are left: ${this.fleet.locks().join(', ')}`);
    const drift = await this.fleet.drift(this.#operators.anna);
    return [...problems, ...drift.map((each) => `in the end, there is drift: ${each}`)];
  }

  async damage(act: Act): Promise<void> {
    const engine = this.fleet.engine(host);
    const own = engine.containers.filter(
      ({ body }) => body.Labels?.['lockage.part'] === 'release' && body.Labels['lockage.role'] === 'web',
    );
    const last = own.filter(({ isRunning }) => isRunning).at(-1);
    if (!last) return;
    await act(engine, last);
    this.#isDamaged = true;
  }

  copyState(): void {
    if (!this.#isBehind()) this.#copyState('state', 'copy');
  }

  takeOlderState(): void {
    const copied = this.#number('copy');
    if (this.#isBehind() || copied < 0 || copied >= this.#number('state')) return;
    this.#copyState('state', 'newest');
    this.#copyState('copy', 'state');
  }

  #copyState(from: string, to: string): void {
    const at = (name: string) => join(this.fleet.folder, name, '.pulumi');
    rmSync(at(to), { recursive: true, force: true });
    cpSync(at(from), at(to), { recursive: true });
  }

  /** Returns whether the newest state lies aside, as an older one is in its place. */
  #isBehind(): boolean {
    return this.#number('state') < this.#number('newest');
  }

  /** Returns the number of the last change that a state folder knows; none where there is no such folder. */
  #number(folder: string): number {
    const ledger = new StateFolder(join(this.fleet.folder, folder))
      .read('shop', environment)
      ?.find(({ type }) => type === 'lockage:index:Ledger')?.inputs;
    if (!ledger) return -1;
    const revisions = JSON.parse(String(ledger['revisions'])) as Ledger['revisions'];
    return lastNumber({ revisions, changed: Number(ledger['changed'] ?? 0) });
  }

  async #command({ words, who, fault }: CommandStep): Promise<string[]> {
    const [was, running, locks] = [this.#state(), this.fleet.running(), this.fleet.locks()];
    const answers = await this.fleet.answers();
    const isBehind = this.#isBehind();
    const outcome = await commands[words](this.fleet, this.#operators[who], fault);
    if (outcome.code === undefined) await this.#afterKill();
    this.ends.push(String(outcome.code));
    const now = await this.fleet.answers();
    const name = `${who}: ${words}${fault ? ` (${fault.kind})` : ''}`;
    const said = `${name} ends with ${outcome.code}${outcome.error === undefined ? '' : `, ${messageOf(outcome.error)}`}`;
    const problems = [
      ...this.#untrue(words, outcome, { was, running, answers, now, isBehind }),
      ...this.#leftLocks(outcome, fault, locks),
      ...unanswered(answers, now, this.#isDamaged || this.fleet.unplugged !== undefined),
    ];
    if (outcome.code === 0 && (words.startsWith('promote') || words === 'heal')) this.#isDamaged = false;
    return problems.map((problem) => `${said}: ${problem}`);
  }

  /** What a host does not answer may leave a lock there, until its lease is over. */
  #leftLocks({ code }: Outcome, fault: Fault | undefined, before: readonly string[]): string[] {
    const left = this.fleet.locks().filter((lock) => !before.includes(lock));
    if (code === undefined || this.fleet.unplugged || left.length === 0) return [];
    if (fault?.kind !== 'answer lost' && fault?.kind !== 'connection broken')
      return left.map((lock) => `the lock ${lock} is left`);
    this.fleet.pass(100);
    return [];
  }

  /** The lock of a process that is gone stands until its lease is over, and a switch that nobody confirms until its guard is due. */
  async #afterKill(): Promise<void> {
    this.fleet.pass(100);
    for (const end = performance.now() + 20_000; this.fleet.pending().length > 0 && performance.now() < end;)
      await sleep(50);
  }

  #untrue(
    words: string,
    { code, error }: Outcome,
    seen: {
      readonly was: string;
      readonly running: readonly string[];
      readonly answers: readonly string[];
      readonly now: readonly string[];
      readonly isBehind: boolean;
    },
  ): string[] {
    const { was, running, answers, now, isBehind } = seen;
    if (code === 70) return [`that is a bug: ${error instanceof Error ? error.stack : String(error)}`];
    const isRefusal = code === 2 || error instanceof LockedError;
    if (isRefusal) return was === this.#state() ? [] : [`it has changed something: ${was} → ${this.#state()}`];
    if (isBehind && words !== 'adopt' && code !== undefined && was !== this.#state())
      return [`an older state has changed something: ${was} → ${this.#state()}`];
    const isBack = error instanceof RolledBackError || error instanceof InterruptedError;
    if (isBack && !this.#isDamaged) {
      const after = this.fleet.running();
      const same = running.join() === after.join() && answers.join() === now.join();
      return same
        ? []
        : [`it is not as before: ${[...running, ...answers].join(', ')} → ${[...after, ...now].join(', ')}`];
    }
    if (code === 4 && !(error instanceof BrokenError)) return ['it says 4 without a reason'];
    const version = /^promote (.*)$/.exec(words)?.[1];
    const isServed = now.every((each) => each.endsWith(` ${version}`) || each.startsWith(`${host} `));
    return code === 0 && version !== undefined && !isServed ? [`visitors get ${now.join(', ')}`] : [];
  }

  /** Returns what a refusal must not change: containers, routes and the record. */
  #state(): string {
    const parts = this.fleet.engines.flatMap((engine) => [
      ...engine.containers
        .filter(({ body }) => body.Labels?.['lockage.part'] !== 'edge-visit')
        .map(({ id, name, status }) => `${engine.host.name} ${name} ${id.slice(0, 6)} ${status}`)
        .sort(),
      ...engine.routes(),
    ]);
    const { states } = this.#operators.anna;
    const record = states.read('shop', environment)?.find(({ type }) => type === 'lockage:index:Ledger')?.inputs;
    return [...parts, JSON.stringify(record)].join('; ');
  }
}

function isSwitch(words: string): boolean {
  return words.startsWith('promote') || words === 'rollback';
}

/** Whoever was answered before is answered now. */
function unanswered(before: readonly string[], now: readonly string[], isDamaged: boolean): string[] {
  if (isDamaged) return [];
  const isAnswer = (text: string) => / \d+\.\d+\.\d+$/.test(text);
  return now
    .filter((each, index) => isAnswer(before[index] ?? '') && !isAnswer(each))
    .map((each) => `${each} is answered`);
}
