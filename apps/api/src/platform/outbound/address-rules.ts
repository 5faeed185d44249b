import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = readonly [Address, number];

/** Why an address is not connected to. `private`: the settings may allow it. `never`: nothing allows it. */
export type AddressVerdict = 'allowed' | 'private' | 'never';

/** Where clouds keep the credentials of their machines, outside of the link-local networks: AWS over IPv6, Alibaba, Oracle. */
const METADATA = ['fd00:ec2::254/128', '100.100.100.200/32', '192.0.0.192/32'].map((text) => ipaddr.parseCIDR(text));
const NEVER: ReadonlySet<string> = new Set(['linkLocal', 'unspecified', 'multicast', 'broadcast']);
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');

const isIn = (address: Address, [network, bits]: Network): boolean =>
  address.kind() === network.kind() && address.match(network, bits);

/** The IPv4 address that an IPv6 one stands for: mapped, or behind a NAT64. */
function unwrapped(address: Address): Address {
  if (!(address instanceof ipaddr.IPv6)) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  return isIn(address, NAT64) ? ipaddr.fromByteArray(address.toByteArray().slice(12)) : address;
}

/** @throws Error for a text that is neither an address nor a network such as 10.0.0.0/8 or fd00::/8 */
export function parseNetwork(text: string): Network {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = ipaddr.parse(text);
  return [address, address.kind() === 'ipv6' ? 128 : 32];
}

/** Which addresses this server connects to when a person named the host: the public ones, and the networks that its settings allow. */
export class AddressRules {
  private readonly allowed: readonly Network[];

  /** @throws Error for a network that is none */
  constructor(networks: readonly string[]) {
    this.allowed = networks.map(parseNetwork);
  }

  /** Judges a literal address in canonical form, as a resolver or `new URL` gives it; anything else is `never`. */
  judge(text: string): AddressVerdict {
    const literal = text.replace(/%.*$/, '');
    if (!ipaddr.IPv4.isValidFourPartDecimal(literal) && !ipaddr.IPv6.isValid(literal)) return 'never';
    const address = unwrapped(ipaddr.parse(literal));
    const range = address.range();
    if (NEVER.has(range) || METADATA.some((network) => isIn(address, network))) return 'never';
    if (this.allowed.some((network) => isIn(address, network))) return 'allowed';
    const isPublic = range === 'unicast' && (address.kind() === 'ipv4' || isIn(address, GLOBAL_UNICAST));
    return isPublic ? 'allowed' : 'private';
  }
}
