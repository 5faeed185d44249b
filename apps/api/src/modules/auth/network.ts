import ipaddr from 'ipaddr.js';

const IPV4_PREFIX = 24;
const IPV6_PREFIX = 56;

/**
 * The network that an address counts for: /24 of IPv4 (also where it is mapped into IPv6), /56 of IPv6, which is about what one customer is
 * given. In canonical form, `203.0.113.0/24`; what is no address counts for itself.
 */
export function networkOf(ip: string): string {
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  const prefix = address.kind() === 'ipv4' ? IPV4_PREFIX : IPV6_PREFIX;
  const bytes = address.toByteArray().map((byte, index) => (index * 8 < prefix ? byte : 0));
  return `${ipaddr.fromByteArray(bytes).toString()}/${prefix}`;
}
