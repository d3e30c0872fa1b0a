import { posix } from 'node:path';

/** Returns whether a pattern matches a path; undefined where it is not known how. */
type Match = ((path: string) => boolean) | undefined;

/**
 * Reads a .dockerignore. Returns a function that tells whether it leaves a path of the context out, for sure: patterns with classes,
 * escapes and other signs that expressions know leave nothing out here, and take everything back.
 * https://docs.docker.com/build/concepts/context/#dockerignore-files
 */
export function leavesOut(text: string): (path: string) => boolean {
  const rules = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap(ruleOf);
  return (path) => {
    const parts = path.split('/');
    // What is left out with its folder is left out with it.
    const paths = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    return rules.reduce(
      (isOut, { takesBack, match }) => ((match ? paths.some(match) : takesBack) ? !takesBack : isOut),
      false,
    );
  };
}

function ruleOf(line: string): { readonly takesBack: boolean; readonly match: Match }[] {
  const written = line.trim();
  if (written === '' || line.startsWith('#')) return [];
  const takesBack = written.startsWith('!');
  const pattern = (takesBack ? written.slice(1) : written).trim();
  return pattern === '' ? [] : [{ takesBack, match: matcher(posix.normalize(pattern).replace(/(?!^)\/$/, '')) }];
}

function matcher(pattern: string): Match {
  if (/[[\]\\+(){}|^]/.test(pattern)) return undefined;
  const source = pattern.replace(/^\/(?=.)/, '').replace(/\*\*\/?|\*|[?.$/]/g, (found, at: number, whole: string) => {
    if (found.startsWith('**')) return at + found.length === whole.length ? '.*' : '(.*\\/)?';
    if (found === '*') return '[^/]*';
    return found === '?' ? '[^/]' : `\\${found}`;
  });
  const expression = new RegExp(`^${source}$`, 'u');
  return (path) => expression.test(path);
}
