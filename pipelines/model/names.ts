/** Returns the names that belong to an environment on its hosts. */
export function environmentNames(app: string, environment: string) {
  const base = `${app}-${environment}`;
  return { network: base, edge: `${base}-edge`, lock: `${base}-lock`, live: `${base}-live` };
}
