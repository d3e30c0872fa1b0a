import type { ServerResponse } from 'node:http';
import type { SimulatedEngine } from './engine.ts';

/** A request to an engine. */
export interface Call {
  readonly method: string;
  /** without the version */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
}

/** An engine's answer. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Goes on with the answer. Returns what ends that. */
  readonly follow?: (response: ServerResponse) => () => void;
}

/** What answers a call to a path; the arguments are the parts of the path that its pattern names. */
export type Handler = (engine: SimulatedEngine, call: Call, ...parts: string[]) => Reply | Promise<Reply>;
export type Answers = readonly (readonly [method: string, path: RegExp, handler: Handler])[];

/** Returns an answer with something as JSON. */
export const ok = (value: unknown, status = 200): Reply => ({
  status,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(value),
});
export const done: Reply = { status: 204 };

/** Returns what a call brings. */
export function jsonOf(call: Call): unknown {
  return call.body.length === 0 ? {} : JSON.parse(call.body.toString());
}

/** Returns whether something has the labels that a list is asked for. */
export function hasLabels(call: Call, found: Readonly<Record<string, string>> | null): boolean {
  const { label = [] } = filtersOf(call);
  return label.every((each) => {
    const [key = '', value] = each.split(/=(.*)/s);
    return found !== null && key in found && (value === undefined || found[key] === value);
  });
}

/** Returns what a list is limited to. */
export function filtersOf({ query }: Call): Readonly<Record<string, readonly string[] | undefined>> {
  return JSON.parse(query.get('filters') ?? '{}') as Record<string, string[]>;
}
