import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { AppError } from '@rahatback/contracts';
import { isLinkLocal } from '../../platform/http/link-local.js';

const forbidden = (sentence: string): AppError => new AppError('HOST_FORBIDDEN', sentence);

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
  if (addresses.some(isLinkLocal)) {
    throw forbidden(
      'The endpoint is a link-local or metadata address, which the server never connects to. Give the address of the storage.',
    );
  }
}
