/** Returns the stack of an environment's own machines, which exist before and after its foundation. */
export function machinesStack(environment: string): string {
  return `${environment}-machines`;
}

/** Returns the stack of an environment's foundation. Promotions have another one, so they cannot touch it. */
export function foundationStack(environment: string): string {
  return `${environment}-foundation`;
}

/** Returns whether a stack is the foundation of an environment. */
export function isFoundation(name: string): boolean {
  return name.endsWith(foundationStack(''));
}

const commonStacks: ReadonlySet<string> = new Set(['releases', 'machine-images', 'archives']);
const evidencePattern = /^evidence-[0-9a-f]{2}$/;

/** Returns the stack with the evidence about images whose digests (hex) begin alike. */
export function evidenceStack(hex: string): string {
  return `evidence-${hex.slice(0, 2)}`;
}

/** Returns whether a stack is a record that all environments share. */
export function isCommonStack(name: string): boolean {
  return commonStacks.has(name) || evidencePattern.test(name);
}
