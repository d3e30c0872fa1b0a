/** Returns the stack of an environment's own machines, which exist before and after its foundation. */
export function machinesStack(environment: string): string {
  return `${environment}-machines`;
}

/** Returns the stack of an environment's foundation. Promotions have another one, so they cannot touch it. */
export function foundationStack(environment: string): string {
  return `${environment}-foundation`;
}
