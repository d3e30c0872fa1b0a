const ipv4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** Returns whether a text is an IPv4 or IPv6 address, and not a host name, or one with a port. */
export function isIpAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

/** Returns whether a text is an IPv6 address, without brackets and zone. */
export function isIpv6(text: string): boolean {
  return /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) && URL.canParse(`http://[${text}]/`);
}

/** Returns whether a text is a host name or an address, without a port. */
export function isHostAddress(text: string): boolean {
  return isIpAddress(text) || /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text);
}

function isIpv4(text: string): boolean {
  return (
    ipv4
      .exec(text)
      ?.slice(1)
      .every((part) => Number(part) <= 255 && String(Number(part)) === part) ?? false
  );
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
