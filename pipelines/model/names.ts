/** Returns the names that belong to an environment on its hosts. */
export function environmentNames(app: string, environment: string) {
  const base = `${app}-${environment}`;
  return {
    ...{ network: base, edge: `${base}-edge`, lock: `${base}-lock`, live: `${base}-live` },
    /** what the names of its migrations begin with */
    migration: `${base}-migration-`,
  };
}

/**
 * Returns whether a container is a migration of an environment's releases, by its name. A role may be called as they are: its
 * containers have a number besides.
 */
export function isMigration(app: string, environment: string, container: string): boolean {
  const { migration } = environmentNames(app, environment);
  return container.startsWith(migration) && /^[0-9a-f]+$/.test(container.slice(migration.length));
}
