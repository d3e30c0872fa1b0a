/** The stack of an environment's foundation. Promotions have another one, so they cannot touch it. */
export function foundationStack(environment: string): string {
  return `${environment}-foundation`;
}
