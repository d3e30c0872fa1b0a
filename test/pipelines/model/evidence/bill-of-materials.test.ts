import { describe, expect, test } from 'vitest';
import {
  billOf,
  isSource,
  packagesIn,
  packagesInBill,
} from '../../../../pipelines/model/evidence/bill-of-materials.ts';
import { release } from '../values.ts';

const purls = (files: Record<string, string>) => packagesIn(new Map(Object.entries(files))).map(({ purl }) => purl);
const debian = { 'etc/os-release': 'NAME="Debian"\nID=debian\n' };

test.each<[string, Record<string, string>, string[]]>([
  [
    'dpkg',
    {
      ...debian,
      'var/lib/dpkg/status':
        'Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u10\nDescription: a\n b\n\n' +
        'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n',
    },
    ['pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64'],
  ],
  [
    'dpkg of distroless images',
    { ...debian, 'var/lib/dpkg/status.d/base': 'Package: base-files\nVersion: 12.4\n' },
    ['pkg:deb/debian/base-files@12.4'],
  ],
  [
    'apk',
    {
      'etc/os-release': 'ID=alpine\n',
      'lib/apk/db/installed': 'C:Q1\nP:musl\nV:1.2.5-r0\nA:x86_64\n\nP:zlib\nV:1.3\n',
    },
    ['pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64', 'pkg:apk/alpine/zlib@1.3'],
  ],
  [
    'npm',
    {
      'app/node_modules/@acme/ui/package.json': '{"name":"@acme/ui","version":"2.0.0"}',
      'app/node_modules/alias/package.json': '{"name":"left-pad","version":"1.3.0"}',
      'app/node_modules/a/node_modules/left-pad/package.json': '{"name":"left-pad","version":"1.3.0"}',
      'app/node_modules/odd/package.json': 'null',
      'app/node_modules/worse/package.json': '{"name":7,"version":{}}',
      'app/node_modules/odder/package.json': '{"name":"odder","version":{}}',
      'app/node_modules/half/package.json': String.raw`{"name":"\ud800","version":"1"}`,
      'app/node_modules/broken/package.json': '{',
    },
    ['pkg:npm/%40acme/ui@2.0.0', 'pkg:npm/left-pad@1.3.0'],
  ],
  [
    'Python',
    {
      'usr/lib/python3/site-packages/Flask_Login-0.6.dist-info/METADATA':
        'Name: Flask_Login\nVersion: 0.6\n\nName: not',
    },
    ['pkg:pypi/flask-login@0.6'],
  ],
  ['nothing that is known', { 'etc/passwd': 'root', 'app/package.json': '{"name":"own","version":"1"}' }, []],
])('the packages of an image are read as %s has left them', (_, files, expected) => {
  expect(purls(files)).toEqual(expected);
});

test('what is odd in a database is left out', () => {
  const long = 'x'.repeat(300);
  const status = `Package: ${long}\nVersion: 1\n\nPackage: a\nVersion: 1\u001b[31m\n\nVersion: 1\n\nPackage: good\nVersion: 1\n`;
  expect(purls({ 'var/lib/dpkg/status': status })).toEqual(['pkg:deb/linux/good@1']);
});

test('no other file of an image is read', () => {
  const paths = ['etc/shadow', 'app/package.json', 'node_modules/a/lib/package.json', 'var/lib/dpkg/info/a.list'];
  expect(paths.filter(isSource)).toEqual([]);
});

test('a bill names its image by the digest, and when it was made', () => {
  const made = release('1.0.0');
  const packages = packagesIn(new Map([['node_modules/web/package.json', '{"name":"web","version":"1"}']]));
  expect(billOf(made, { packages, tool: { name: 'lockage' } }, '2026-01-02T03:04:05.000Z')).toMatchObject({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    metadata: { timestamp: '2026-01-02T03:04:05.000Z', component: { version: made.digest } },
    components: [{ type: 'library', name: 'web', version: '1', purl: 'pkg:npm/web@1' }],
  });
});

describe('the bill of another program', () => {
  const tools = { components: [{ type: 'application', author: 'anchore', name: 'syft', version: '1.20.0' }] };
  const bill = (components: unknown, metadata: unknown = { tools }) =>
    packagesInBill(JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', metadata, components }));
  const web = { name: 'web', version: '1', purl: 'pkg:npm/web@1' };

  test('gives its packages, each once and in order, and who found them', () => {
    const zed = { ...web, purl: 'pkg:npm/zed@1', licenses: [{ license: { id: 'MIT' } }] };
    const file = { type: 'file', name: '/etc/passwd' };
    expect(bill([zed, file, { type: 'library', ...web }, web])).toEqual({
      packages: [web, { name: 'web', version: '1', purl: 'pkg:npm/zed@1' }],
      tool: { name: 'syft', version: '1.20.0' },
    });
  });

  test('gives nothing that is odd', () => {
    const odd = [
      null,
      7,
      'web',
      [],
      {},
      { ...web, purl: 7 },
      { ...web, purl: 'javascript:x' },
      { ...web, name: 'a\n' },
    ];
    const long = { ...web, purl: `pkg:npm/${'x'.repeat(600)}` };
    for (const metadata of [
      null,
      7,
      { tools: null },
      { tools: [{ name: 'syft' }] },
      { tools: { components: [null] } },
    ]) {
      expect(bill([...odd, long], metadata)).toEqual({ packages: [], tool: { name: 'unknown' } });
    }
    expect(bill({ length: 1 }).packages).toEqual([]);
  });

  test.each(['', 'null', '[]', '{}', '{"bomFormat":"SPDX"}', '<html>'])('is refused where it is none: %s', (text) => {
    expect(() => packagesInBill(text)).toThrow('no CycloneDX document');
  });
});
