/** The connection to the database, from the environment and the secret file that the pipeline provides. */
import { readFileSync } from 'node:fs';
import postgres from 'postgres';

/** Connects when first used, and again after the database was away. */
export function openDatabase({ connections = 4 } = {}) {
  const { DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD_FILE } = process.env;
  return postgres({
    host: DB_HOST ?? 'localhost',
    port: Number(DB_PORT ?? 5432),
    database: DB_NAME ?? 'shop',
    username: DB_USER ?? 'shop',
    // Read for each connection: a rotated secret is used without a restart.
    password: () => (DB_PASSWORD_FILE ? readFileSync(DB_PASSWORD_FILE, 'utf8').trimEnd() : ''),
    max: connections,
    connect_timeout: 5,
    backoff: (attempt) => Math.min(0.1 * 2 ** attempt, 2),
    onnotice: () => {},
  });
}

/** Settles like `promise`, or rejects after some milliseconds. */
export function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
