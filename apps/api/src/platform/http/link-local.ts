import { BlockList, isIP } from 'node:net';

/** Where clouds keep the credentials of their machines, and what only ever means a neighbour on the same cable. Private networks are allowed. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16, 'ipv4');
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');
LINK_LOCAL.addAddress('fd00:ec2::254', 'ipv6');
// The same IPv4 addresses, written as NAT64 and 6to4.
LINK_LOCAL.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
LINK_LOCAL.addSubnet('2002:a9fe::', 32, 'ipv6');

/** Whether an address (not a name) is link-local or a metadata service; false for a name. BlockList sees through IPv4-mapped IPv6 by itself. */
export function isLinkLocal(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && LINK_LOCAL.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
