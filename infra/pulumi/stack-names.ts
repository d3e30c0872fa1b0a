/** The stack of an environment's own machines, which are there before and after its foundation. */
export function machinesStack(environment: string): string {
  return `${environment}-machines`;
}

/** The stack of an environment's foundation. Promotions have another one, so they cannot touch it. */
export function foundationStack(environment: string): string {
  return `${environment}-foundation`;
}
