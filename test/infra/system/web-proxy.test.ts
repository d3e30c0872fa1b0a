import { expect, test } from 'vitest';
import { webProxyFor } from '../../../infra/system/web-proxy.ts';

const proxy = 'http://proxy.example.com:3128';
const asked = (url: string, variables: Readonly<Record<string, string>>) =>
  webProxyFor(new URL(url), variables)?.url.host;

test.each<readonly [string, Readonly<Record<string, string>>, string | undefined]>([
  ['https://r.example.com', { HTTPS_PROXY: proxy }, 'proxy.example.com:3128'],
  ['https://r.example.com', { https_proxy: 'proxy.example.com:3128' }, 'proxy.example.com:3128'],
  ['https://r.example.com', { HTTPS_PROXY: ' ', https_proxy: proxy }, 'proxy.example.com:3128'],
  ['https://r.example.com', { HTTP_PROXY: proxy, ALL_PROXY: proxy }, undefined],
  ['http://r.example.com', { http_proxy: proxy }, 'proxy.example.com:3128'],
  ['http://r.example.com', { HTTPS_PROXY: proxy }, undefined],
  ['https://r.example.com', {}, undefined],
  ['http://localhost:5000', { HTTP_PROXY: proxy }, undefined],
  ['http://127.0.0.9:5000', { HTTP_PROXY: proxy }, undefined],
  ['http://[::1]:5000', { HTTP_PROXY: proxy }, undefined],
  ['http://[::ffff:127.0.0.1]:5000', { HTTP_PROXY: proxy }, undefined],
  ['http://[::ffff:10.0.0.1]:5000', { HTTP_PROXY: proxy }, 'proxy.example.com:3128'],
  ['http://r.localhost:5000', { HTTP_PROXY: proxy }, undefined],
])('%s with %j is asked through %s', (url, variables, expected) => {
  expect(asked(url, variables)).toBe(expected);
});

test.each<readonly [string, string, boolean]>([
  ['r.example.com', 'https://r.example.com', true],
  ['example.com', 'https://r.example.com', true],
  ['.example.com', 'https://r.example.com', true],
  ['*.example.com', 'https://r.example.com', true],
  ['.example.com', 'https://example.com', false],
  ['ample.com', 'https://example.com', false],
  ['a.com, EXAMPLE.com', 'https://R.example.com.', true],
  ['a.com b.com', 'https://b.com', true],
  ['*', 'https://r.example.com', true],
  ['r.example.com:5000', 'https://r.example.com:5000', true],
  ['r.example.com:443', 'https://r.example.com', true],
  ['r.example.com:5000', 'https://r.example.com', false],
  ['10.0.0.1', 'https://10.0.0.1:5000', true],
  ['10.0.0.1:5000', 'https://10.0.0.1:5000', true],
  ['10.0.0.1:1', 'https://10.0.0.1:5000', false],
  ['10.0.0.0/8', 'https://10.99.0.1:5000', true],
  ['10.0.0.0/33,10.0.0.0/,x/8', 'https://10.99.0.1', false],
  ['fd00::/8', 'https://[fd00::1]:5000', true],
  ['[fd00::1]:5000', 'https://[fd00::1]:5000', true],
  ['fd00::1', 'https://[fd00::1]:5000', true],
  [',, ,', 'https://r.example.com', false],
])('NO_PROXY=%s leaves %s out: %s', (list, url, isOut) => {
  expect(asked(url, { HTTPS_PROXY: proxy, NO_PROXY: list }) === undefined).toBe(isOut);
  expect(asked(url, { https_proxy: proxy, no_proxy: list }) === undefined).toBe(isOut);
});

test.each(['socks5://me:s3cret@p:1', 'http://', 'ftp://s3cret@p', 'http://[s3cret'])(
  'a proxy that cannot be used is told by its variable alone: %s',
  (value) => {
    expect(() => asked('https://r.example.com', { https_proxy: value })).toThrow(/^https_proxy names no proxy/);
    expect(() => asked('https://r.example.com', { https_proxy: value })).not.toThrow(/s3cret/);
  },
);
