/**
 * Which of the projects in vitest.config.ts each command runs. They are named one by one: vitest takes two exclusions for
 * "not this one, or not that one", which excludes nothing.
 *
 * @type {Record<'test' | 'test:fast' | 'crash' | 'cosign' | 'others' | 'engines', string[]>}
 */
export const testProjects = {
  test: ['fast', 'real', 'alone'],
  'test:fast': ['fast'],
  crash: ['crash'],
  cosign: ['cosign'],
  others: ['others'],
  engines: ['engines'],
};
