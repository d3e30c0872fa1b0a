const ipv4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** Returns whether a text is an IPv4 or IPv6 address, and not a host name. */
export function isIpAddress(text: string): boolean {
  return ipv4.test(text) || text.includes(':');
}

/**
 * Returns whether an address is of a network that the internet does not reach: private, shared by a carrier, link-local or
 * loopback.
 */
export function isPrivateAddress(address: string): boolean {
  const text = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  const found = ipv4.exec(text);
  if (found) return isPrivateIpv4(Number(found[1]), Number(found[2]));
  return text === '::1' || /^f[cd][0-9a-f]{2}:/.test(text) || /^fe[89ab][0-9a-f]:/.test(text);
}

function isPrivateIpv4(first: number, second: number): boolean {
  if (first === 10 || first === 127) return true;
  if (first === 192) return second === 168;
  if (first === 172) return second >= 16 && second < 32;
  if (first === 169) return second === 254;
  return first === 100 && second >= 64 && second < 128;
}
