import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupAllOptions } from 'node:dns';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError } from '@rahatback/contracts';
import type { AppConfig } from '../config/app-config.js';
import { AddressRules } from './address-rules.js';

type OnCreate = (error: Error | null, stream?: Duplex) => void;
type AllAddresses = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;
export type Resolve = (host: string, options: LookupAllOptions, done: AllAddresses) => void;

/** Connections for one client; the client destroys them. */
export interface GuardedAgents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

const AGENT_OPTIONS = { keepAlive: true, maxSockets: 50 };
const WEB_PORTS: ReadonlySet<number> = new Set([80, 443]);
/** Data stores, mail, remote shells and control ports above 1023: an object store answers at none of them. */
const SERVICE_PORTS: ReadonlySet<number> = new Set([
  1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 2525, 3306, 3389, 5432, 5671, 5672, 5900, 5984, 6379, 6380, 6443, 6667, 8500,
  9042, 9092, 9200, 9300, 10_250, 11_211, 15_672, 26_379, 27_017, 27_018,
]);

const forbidden = (sentence: string): AppError => new AppError('HOST_FORBIDDEN', sentence);

/** The same sentence for every name, and no address in it: a stranger must not read the operator's network from it. */
const refusalOf = (verdict: 'private' | 'never'): AppError =>
  forbidden(
    verdict === 'never'
      ? 'The endpoint is a link-local, metadata or other special address, which the server never connects to. Give the address of the storage.'
      : 'The endpoint is in a private network. Give a public address, or ask whoever runs this server to add the network to OUTBOUND_ALLOW.',
  );

/** What `new URL` made of octal, hexadecimal and short IPv4 forms is plain already; brackets of IPv6 go. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

function parsed(address: string): URL {
  try {
    return new URL(address);
  } catch {
    throw forbidden('The endpoint is not a URL. Give it as https://host:port.');
  }
}

/** @throws AppError HOST_FORBIDDEN for a port that no web service has */
function assertPort(port: number): void {
  if (WEB_PORTS.has(port) || (port >= 1024 && !SERVICE_PORTS.has(port))) return;
  throw forbidden(
    `The server does not connect to port ${port} for you. Use 80, 443 or a port above 1023 of no other known service.`,
  );
}

/**
 * The way out to every host that a person named. A name is judged by the address which its socket is about to connect to, so that another answer of
 * the resolver between the check and the connection changes nothing. Redirects are not followed by whoever uses it.
 */
export class OutboundGuard {
  private readonly rules: AddressRules;

  constructor(
    { outboundAllow }: Pick<AppConfig, 'outboundAllow'>,
    private readonly resolve: Resolve = systemLookup,
  ) {
    this.rules = new AddressRules(outboundAllow);
  }

  /**
   * Tells a person early. A name that the resolver does not know passes: the connection itself says so in better words.
   * @throws AppError HOST_FORBIDDEN unless it is http or https, without credentials in it, to a host and port that may be connected to
   */
  async assertUrl(address: string): Promise<void> {
    const url = parsed(address);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw forbidden(
        `The server connects to http and https only, not to ${url.protocol}. Give the endpoint as https://host:port.`,
      );
    }
    if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
      throw forbidden('The endpoint must not hold a user, a password or a query. Give it as https://host:port.');
    }
    assertPort(Number(url.port || (url.protocol === 'https:' ? 443 : 80)));
    const refused = await new Promise<Error | null>((done) => {
      this.lookup(hostOf(url), { all: true }, (error) => done(error));
    });
    if (refused instanceof AppError) throw refused;
  }

  /** A pair of agents that connects only where the rules allow. */
  agents(): GuardedAgents {
    return { http: new GuardedHttpAgent(this), https: new GuardedHttpsAgent(this) };
  }

  /** For `net.connect` and everything above it: resolves, and refuses when any of the addresses is not allowed. */
  readonly lookup: LookupFunction = (host, options, done) => {
    const family = isIP(host);
    if (family !== 0) {
      const refused = this.refuse([host]);
      process.nextTick(() => done(refused, options.all === true ? [{ address: host, family }] : host, family));
      return;
    }
    this.resolve(host, { ...options, all: true }, (error, addresses) => {
      const refused = error ?? this.refuse(addresses.map(({ address }) => address));
      const [first] = refused === null ? addresses : [];
      if (refused) done(refused, '', 0);
      else if (options.all === true) done(null, addresses);
      else done(null, first?.address ?? '', first?.family);
    });
  };

  /** What `net.connect` is to be given, or why it may not connect: it asks no resolver about a literal address. */
  checked(options: object): object | AppError {
    const { host, port } = options as { host?: string; port?: number | string };
    const refused = host === undefined || isIP(host) === 0 ? null : this.refuse([host]);
    if (refused) return refused;
    try {
      assertPort(Number(port));
    } catch (error) {
      return error as AppError;
    }
    return { ...options, lookup: this.lookup };
  }

  private refuse(addresses: readonly string[]): AppError | null {
    const verdicts = addresses.map((address) => this.rules.judge(address));
    if (verdicts.includes('never')) return refusalOf('never');
    return verdicts.includes('private') ? refusalOf('private') : null;
  }
}

type Connect = (options: object, onCreate: OnCreate) => Duplex | null | undefined;

/** Connects by `connect` if the guard lets it; a refusal arrives as the request's error. */
function connectChecked(guard: OutboundGuard, connect: Connect, [options, onCreate]: Parameters<Connect>): ReturnType<Connect> {
  const checked = guard.checked(options);
  if (!(checked instanceof AppError)) return connect(checked, onCreate);
  process.nextTick(onCreate, checked);
  return undefined;
}

class GuardedHttpAgent extends HttpAgent {
  constructor(private readonly guard: OutboundGuard) {
    super(AGENT_OPTIONS);
  }

  override createConnection(...call: Parameters<HttpAgent['createConnection']>): ReturnType<HttpAgent['createConnection']> {
    return connectChecked(this.guard, super.createConnection.bind(this), call as Parameters<Connect>);
  }
}

class GuardedHttpsAgent extends HttpsAgent {
  constructor(private readonly guard: OutboundGuard) {
    super(AGENT_OPTIONS);
  }

  override createConnection(...call: Parameters<HttpsAgent['createConnection']>): ReturnType<HttpsAgent['createConnection']> {
    return connectChecked(this.guard, super.createConnection.bind(this), call as Parameters<Connect>);
  }
}
