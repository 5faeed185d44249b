import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import proxyAddr from 'proxy-addr';

const IPV6_CUSTOMER_BITS = 64;

/** The address that Express calls `ip`, for requests that never reach Express: X-Forwarded-For counts from trusted proxies only. */
export function clientAddressOf(trustProxy: readonly string[]): (request: IncomingMessage) => string {
  const trust = proxyAddr.compile([...trustProxy]);
  return (request) => proxyAddr(request, trust);
}

/** Whom connections of an address are counted for: an IPv4 address, also a mapped one, or the /64 of an IPv6 address. */
export function countedAs(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  const bytes = parsed.toByteArray().map((byte, index) => (index * 8 < IPV6_CUSTOMER_BITS ? byte : 0));
  return `${ipaddr.fromByteArray(bytes).toString()}/${IPV6_CUSTOMER_BITS}`;
}
