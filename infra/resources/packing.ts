import { canonicalJson } from '../../pipelines/model/fingerprint.ts';
import { fromRecord, toRecord, type TargetRecord } from '../../pipelines/model/target-record.ts';
import type { Target } from '../../pipelines/model/target.ts';

/**
 * The inputs of a resource as Pulumi carries and keeps them: one text. Pulumi passes text on as it is, but takes
 * values apart one by one, in each of a dozen messages and on both sides; with thirty hosts that took seconds.
 */
export interface Content {
  readonly content: string;
}

/** Returns a resource's inputs as one text, with targets as they are recorded. */
export function packed(inputs: object): Content {
  return { content: canonicalJson(withTargets(inputs, (target) => toRecord(target as Target))) };
}

/** Returns the inputs again; those of a resource that is not packed as they are. */
export function unpacked(carried: unknown): unknown {
  const { content } = carried as Partial<Content>;
  if (typeof content !== 'string') return carried;
  return withTargets(JSON.parse(content) as object, (record) => fromRecord(record as TargetRecord));
}

/**
 * Returns the inputs with each target changed: `host`, the `host` of the elements of a list, and the elements of
 * `hosts`. Nothing else is looked into: what a user wrote, such as a variable, may look like a target.
 */
function withTargets(inputs: object, change: (target: object) => object): object {
  const members = Object.entries(withHost(inputs, change)).map(([key, value]): [string, unknown] => [
    key,
    Array.isArray(value) ? value.map((element: unknown) => inList(key, element, change)) : value,
  ]);
  return Object.fromEntries(members);
}

function inList(key: string, element: unknown, change: (target: object) => object): unknown {
  if (!isObject(element)) return element;
  // Routes are in a list of this name too, each with its host.
  return key === 'hosts' && !('host' in element) ? change(element) : withHost(element, change);
}

function withHost(value: object, change: (target: object) => object): object {
  // The host of a machine is a name.
  return 'host' in value && isObject(value.host) ? { ...value, host: change(value.host) } : value;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
