import { describe, expect, it } from 'vitest';
import { tarArchive, readTar } from '../../../infra/docker/api/tar.ts';
import { otherSecrets, problemsOf } from '../../../infra/workloads/secret-problems.ts';
import { findOwner } from '../../../infra/workloads/secret-owner.ts';
import { isFormerFolder, secretEntries, secretVolumeName } from '../../../infra/workloads/secret-volume.ts';

const passwd = 'root:x:0:0:root:/root:/bin/sh\r\nnode:x:1000:1001::/home/node:/bin/sh\n\nnobody:*:65534:65534::/:\n';
const group = 'root:x:0:\nnode:x:1001:\nstaff:x:50:node\n';

describe('who reads the secrets of a container', () => {
  it.each([
    ['', { uid: 0, gid: 0 }],
    ['root', { uid: 0, gid: 0 }],
    ['node', { uid: 1000, gid: 1001 }],
    ['1000', { uid: 1000, gid: 1001 }],
    ['1234', { uid: 1234, gid: 0 }],
    ['node:staff', { uid: 1000, gid: 50 }],
    ['node:50', { uid: 1000, gid: 50 }],
    ['1000650000:77', { uid: 1_000_650_000, gid: 77 }],
    ['app', { unknown: 'user app' }],
    ['node:wheel', { unknown: 'group wheel' }],
  ])('is found for %j as Docker finds it', (user, owner) => {
    expect(findOwner(user, { passwd, group })).toEqual(owner);
  });

  it('is root or a number in an image without accounts', () => {
    const none = { passwd: '', group: '' };
    expect(findOwner('', none)).toEqual({ uid: 0, gid: 0 });
    expect(findOwner('7:8', none)).toEqual({ uid: 7, gid: 8 });
    expect(findOwner('app', none)).toEqual({ unknown: 'user app' });
  });
});

describe('the files of a secret volume', () => {
  const long = 'S'.repeat(128);
  const entries = secretEntries({ uid: 1_000_650_000, gid: 3 }, [
    ['TOKEN', Buffer.from('größe')],
    [long, Buffer.from([0xff, 0])],
  ]);

  it('belong to the container alone, the folder as well', () => {
    const read = readTar(tarArchive(entries));
    expect(read.map(({ path, type, mode }) => [path, type, mode.toString(8)])).toEqual([
      ['secrets/', 'directory', '500'],
      ['secrets/TOKEN', 'file', '400'],
      [`secrets/${long}`, 'file', '400'],
    ]);
    for (const { uid, gid } of read) expect([uid, gid]).toEqual([1_000_650_000, 3]);
    expect(read[1]?.content.toString()).toBe('größe');
    expect(read[2]?.content).toEqual(Buffer.from([0xff, 0]));
  });

  it('are in a volume that no accessory’s data can be called', () => {
    expect(secretVolumeName('shop-prod-db')).toBe('shop-prod-db.secrets');
  });
});

describe('the look at secrets on a host', () => {
  it('finds nothing wrong with what was made', () => {
    const made = readTar(tarArchive(secretEntries({ uid: 1000, gid: 0 }, [['TOKEN', Buffer.from('x')]])));
    expect(problemsOf('web.secrets', made, '1000')).toEqual([]);
  });

  it('names what others can read, and what its container cannot', () => {
    const entries = [
      { path: '0/', mode: 0o755, uid: 1000 },
      { path: '0/TOKEN', mode: 0o444, uid: 7 },
    ];
    expect(problemsOf('web.secrets', entries, '1000')).toEqual([
      'web.secrets is open to others (755)',
      'web.secrets/TOKEN is open to others (444)',
      'web.secrets/TOKEN belongs to 7, not to 1000',
    ]);
  });

  it('knows where secrets were before they had volumes', () => {
    expect(['/run/lockage/shop/prod/web-1', '/run/lockages', ''].map(isFormerFolder)).toEqual([true, false, false]);
  });
});

it('files of secrets that are missing or that nobody put there are named', () => {
  const entries = ['secrets', 'secrets/TOKEN', 'secrets/left'].map((path) => ({ path }));
  expect(otherSecrets(entries, ['TOKEN', 'KEY'])).toEqual(['KEY is missing', 'left is not of this release']);
  expect(otherSecrets(entries.slice(0, 2), ['TOKEN'])).toEqual([]);
});
