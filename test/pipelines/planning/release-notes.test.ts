import { describe, expect, test } from 'vitest';
import { parseRange, stepsBetween, type ReleaseNotes } from '../../../pipelines/planning/release-notes.ts';
import { markdownNotes, notesLines } from '../../../scripts/cli/views/notes.ts';
import { release } from '../model/values.ts';

const releases = ['1.0.0', '1.10.0', '1.2.0', '2.0.0', '1.3.0'].map((version) => release(version));
const steps = (from: string, to: string) =>
  stepsBetween(release(from), release(to), releases).map(([a, b]) => `${a.version} ${b.version}`);

describe('a range of releases', () => {
  test('has all between its ends, by their versions', () => {
    expect(steps('1.0.0', '1.10.0')).toEqual(['1.0.0 1.2.0', '1.2.0 1.3.0', '1.3.0 1.10.0']);
    expect(steps('1.10.0', '1.3.0')).toEqual(['1.3.0 1.10.0']);
    expect(steps('1.3.0', '1.3.0')).toEqual([]);
  });

  test.each(['1.0.0', '..', '1.0.0..', '..1.0.0', '1.0.0..2.0.0..3.0.0', ''])('is not written as %j', (text) => {
    expect(() => parseRange(text)).toThrow('is no range');
  });
});

const notes: ReleaseNotes = {
  ...{ from: '1.0.0', to: '1.2.0', back: false },
  releases: [
    { version: '1.2.0', digest: 'sha256:b', runs: [] },
    {
      ...{ version: '1.1.0', digest: 'sha256:a', runs: ['dev', 'qa'] },
      commits: [{ id: 'abcdef0123', subject: 'Fix <script> & *all* of [this](x) for @anna' }],
    },
  ],
};

test('notes for people say where each release runs, and what they do not know', () => {
  const text = notesLines(notes).join('\n');
  expect(text).toContain('its commits are not in this repository');
  expect(text).toMatch(/1\.1\.0.* runs in dev, qa/);
  expect(text).toContain('abcdef0');
});

test('notes say where more commits came with a release than are listed', () => {
  const cut = {
    ...notes,
    releases: notes.releases.map((each) => ({ ...each, ...(each.commits ? { more: true as const } : {}) })),
  };
  expect(notesLines(cut).join('\n')).toContain('and earlier ones');
  expect(markdownNotes(cut)).toContain('- _and earlier ones: `git log` has all of them_');
  expect(markdownNotes(notes).join('\n')).not.toContain('earlier');
});

test('notes as Markdown take nothing of a commit for Markdown, HTML or a name', () => {
  expect(markdownNotes(notes)).toContain(
    '- Fix &lt;script&gt; &amp; \\*all\\* of \\[this\\](x) for @&#8203;anna (`abcdef0`)',
  );
});
