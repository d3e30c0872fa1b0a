import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { withoutTarget, withTarget } from '../../../pipelines/config/edit-targets.ts';
import { refusal } from '../model/values.ts';

const file = (text: string) => ({ path: 'environments/prod.yaml', text });
const added = { name: 'prod-9', url: 'ssh://root@10.0.0.9', hostKey: `SHA256:${'A'.repeat(43)}` };

const block = `# where prod runs
targets:
    # the first two are in Falkenstein
    - ssh://root@a.example.com   # old
    - name: second
      url: 'ssh://root@b.example.com'   # new

# how long
watch: 1m
`;

describe('a target more', () => {
  test('in a list of lines: its lines, and nothing else', () => {
    expect(withTarget(file(block), added)).toBe(
      block.replace(
        "example.com'   # new\n",
        `example.com'   # new\n    - name: prod-9\n      url: ssh://root@10.0.0.9\n      hostKey: ${added.hostKey}\n`,
      ),
    );
  });

  test.each([
    ['without indentation', 'targets:\n- ssh://root@a\nwatch: 1m\n'],
    ['at the end of a file without a last newline', 'targets:\n  - url: ssh://root@a\n    jump: gate'],
    ['on one line', 'targets: [ssh://root@a, { url: ssh://root@b }] # all\nwatch: 1m\n'],
    ['on several lines', 'targets: [\n    ssh://root@a, # one\n    ssh://root@b\n  ]\n'],
    ['in JSON', '{\n  "targets": [\n    { "url": "ssh://root@a" }\n  ],\n  "watch": "1m"\n}\n'],
  ])('%s', (_case, text) => {
    const { targets, ...rest } = parse(text);
    expect(parse(withTarget(file(text), added))).toEqual({ targets: [...targets, added], ...rest });
  });

  test('on a line of its own where the others have one', () => {
    const text = 'targets: [\n    ssh://root@a, # one\n    ssh://root@b # two\n  ]\n';
    const item = `{ name: prod-9, url: ssh://root@10.0.0.9, hostKey: ${added.hostKey} }`;
    expect(withTarget(file(text), added)).toBe(text.replace('b # two\n', `b, # two\n    ${item}\n`));
    const comma = text.replace('b #', 'b, #');
    expect(withTarget(file(comma), added)).toBe(comma.replace('# two\n', `# two\n    ${item}\n`));
  });

  test('a file in JSON stays JSON', () => {
    expect(JSON.parse(withTarget(file('{ "targets": ["ssh://root@a"] }'), added)).targets).toEqual([
      'ssh://root@a',
      added,
    ]);
  });

  test.each(['10.0.0.1', 'fe80::1', 'null', '1e3', "/home/o'neil/key", 'ssh://root@[fe80::1]:22', '~/.ssh/id'])(
    'the value %s comes back as text',
    (address) => {
      for (const text of ['targets: [a]', 'targets:\n  - a\n']) {
        expect(parse(withTarget(file(text), { name: 'null', url: 'b', address })).targets[1]).toEqual({
          name: 'null',
          url: 'b',
          address,
        });
      }
    },
  );
});

describe('a target less', () => {
  test('in a list of lines: its lines, and nothing else', () => {
    expect(withoutTarget(file(block), 'prod', 1)).toBe(
      block.replace("    - name: second\n      url: 'ssh://root@b.example.com'   # new\n", ''),
    );
    expect(withoutTarget(file(block), 'prod', 0)).toBe(block.replace('    - ssh://root@a.example.com   # old\n', ''));
  });

  test.each([
    ['the first', 0],
    ['one between', 1],
    ['the last', 2],
  ])('on one line: %s', (_case, index) => {
    const urls = ['ssh://root@a', 'ssh://root@b', 'ssh://root@c'];
    const text = `targets: [${urls.join(', ')}] # all\nwatch: 1m\n`;
    expect(withoutTarget(file(text), 'prod', index)).toBe(
      `targets: [${urls.toSpliced(index, 1).join(', ')}] # all\nwatch: 1m\n`,
    );
  });

  test('the others keep the names that came from their place in the list', () => {
    const urls =
      'targets:\n  - ssh://root@10.0.0.1\n  - ssh://root@10.0.0.2 # two\n  - url: ssh://root@10.0.0.3\n    jump: gate\n';
    expect(withoutTarget(file(urls), 'prod', 0)).toBe(
      'targets:\n  - { name: prod-2, url: ssh://root@10.0.0.2 } # two\n  - name: prod-3\n    url: ssh://root@10.0.0.3\n    jump: gate\n',
    );
    expect(withoutTarget(file(urls), 'prod', 2)).toBe(urls.split('\n').slice(0, 3).join('\n') + '\n');
  });

  test('also in JSON', () => {
    const text = '{ "targets": ["ssh://root@10.0.0.1", "ssh://root@10.0.0.2", { "url": "ssh://root@10.0.0.3" }] }';
    expect(JSON.parse(withoutTarget(file(text), 'prod', 0)).targets).toEqual([
      { name: 'prod-2', url: 'ssh://root@10.0.0.2' },
      { name: 'prod-3', url: 'ssh://root@10.0.0.3' },
    ]);
  });
});

test.each([['watch: 1m\n'], ['targets: *x\n'], ['targets: [&a ssh://root@a, *a]\n'], ['targets: []\n']])(
  'what is no plain list is left to people: %j',
  (text) => {
    expect(refusal(() => withTarget(file(text), added))).toContain(
      'the targets in environments/prod.yaml are not written as a plain list: nothing was changed',
    );
  },
);
