import { AppError } from '@rahatback/contracts';

/** Hosts for which clear text never leaves the machine. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Where the server is: origin and, behind some proxies, a path. */
export class ServerAddress {
  readonly #url: URL;

  /** @throws AppError VALIDATION for what is no http(s) URL, or carries a user, query or fragment */
  constructor(address: string) {
    let url: URL;
    try {
      url = new URL(address);
    } catch {
      throw new AppError('VALIDATION', '--server must be a URL such as https://backup.example.com.');
    }
    const isPlain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
    if (!['http:', 'https:'].includes(url.protocol) || !isPlain) {
      throw new AppError('VALIDATION', '--server must begin with https:// (or http://) and hold only host, port and path.');
    }
    this.#url = url;
    if (!url.pathname.endsWith('/')) url.pathname += '/';
  }

  /** Without a slash at its end. */
  get href(): string {
    return this.#url.href.replace(/\/$/, '');
  }

  /** Whether others on the network could read along. */
  get isClearText(): boolean {
    return this.#url.protocol === 'http:' && !LOOPBACK.test(this.#url.hostname);
  }

  resolve(path: string): URL {
    return new URL(path, this.#url);
  }
}
