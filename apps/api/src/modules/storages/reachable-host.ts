import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { AppError } from '@rahatback/contracts';

/** Where clouds keep the credentials of their machines, and what only ever means a neighbour on the same cable. Private networks are allowed. */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
FORBIDDEN.addAddress('fd00:ec2::254', 'ipv6');
// The same IPv4 addresses, written as NAT64 and 6to4.
FORBIDDEN.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
FORBIDDEN.addSubnet('2002:a9fe::', 32, 'ipv6');

const forbidden = (sentence: string): AppError => new AppError('HOST_FORBIDDEN', sentence);

/** BlockList sees through IPv4-mapped IPv6 addresses by itself. */
const isForbidden = (address: string): boolean => FORBIDDEN.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    // Unknown to the resolver: the connection itself will say so in better words.
    return [];
  }
}

/**
 * The one question before this server connects to an address that a person typed.
 * @throws AppError HOST_FORBIDDEN unless it is http or https, without credentials in it, to a host outside the link-local and metadata networks
 */
export async function assertReachableHost(address: string): Promise<void> {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw forbidden('The endpoint is not a URL. Give it as https://host:port.');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw forbidden(
      `The server connects to http and https only, not to ${url.protocol}. Give the endpoint as https://host:port.`,
    );
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw forbidden('The endpoint must not hold a user, a password or a query. Give it as https://host:port.');
  }
  const addresses = await addressesOf(url.hostname.replace(/^\[|\]$/g, ''));
  if (addresses.some(isForbidden)) {
    throw forbidden(
      'The endpoint is a link-local or metadata address, which the server never connects to. Give the address of the storage.',
    );
  }
}
