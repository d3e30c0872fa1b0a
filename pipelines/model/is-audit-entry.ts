type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = Number.isSafeInteger;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    value === undefined || (Array.isArray(value) && value.every((each) => check(each)));
const withMembers =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(checks).every(([key, check]) => check(value[key]));

const isProcess = withMembers({ machine: isText, pid: isNumber, pidSpace: isText });

/** The members of an entry that something is made of: a check for each. */
const isWhole = withMembers({
  ...{ number: isNumber, at: isText, kind: isText, previous: isText, operation: isText, actor: isText },
  process: isProcess,
  ...{ environment: optional(isText), reason: optional(isText), breakGlass: optional(isText), error: optional(isText) },
  ...{ revision: optional(isNumber), intent: optional(isNumber), exitCode: optional(isNumber) },
  accepted: optional(isNumber),
  release: optional(withMembers({ version: isText, digest: optional(isText) })),
  about: optional((value) => isObject(value) && Object.values(value).every(isText)),
  gates: listOf(isObject),
  open: listOf(withMembers({ number: isNumber, environment: optional(isText), process: isProcess })),
  missing: listOf(withMembers({ number: isNumber, hash: isText, from: isText })),
  abandoned: listOf(isNumber),
});

/** Returns whether a value is an entry of the audit log: also one whose hash is right may be somebody else's work. */
export function isAuditEntry(value: unknown): boolean {
  return isWhole(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
