import { errorFromBody, type SessionAnswer } from '@rahatback/contracts';
import { CanaryRun } from '@rahatback/testing';

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface RestAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A person with a bearer token, calling the API as an integration would. Renews its token once when it has run out. */
export class RestClient {
  private accessToken: string | undefined;
  private refreshToken: string | undefined;

  constructor(
    readonly baseUrl: string,
    private readonly onAnswer: (path: string, body: string) => void = () => undefined,
  ) {}

  get token(): string {
    if (!this.accessToken) throw new Error('Not logged in: call register or logIn first');
    return this.accessToken;
  }

  /** The status and body as they came, for tests that expect a refusal. */
  async send(method: Method, path: string, body?: unknown): Promise<RestAnswer> {
    const answer = await this.once(method, path, body);
    if (answer.status !== 401 || !this.refreshToken) return answer;
    await this.refresh();
    return this.once(method, path, body);
  }

  /** @throws AppError with the server's code when the answer is not 2xx */
  async call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    const { status, body: answer } = await this.send(method, path, body);
    if (status >= 400) throw errorFromBody(answer ?? {});
    return answer as T;
  }

  async register(account: {
    email: string;
    password: string;
    name: string;
    workspaceName?: string;
    recoveryRecipient?: string;
  }): Promise<SessionAnswer> {
    const session = await this.call<SessionAnswer>('POST', '/v1/auth/register', account);
    this.keep(session.tokens);
    return session;
  }

  async logIn(email: string, password: string): Promise<SessionAnswer> {
    const session = await this.call<SessionAnswer>('POST', '/v1/auth/login', { email, password });
    this.keep(session.tokens);
    return session;
  }

  private async refresh(): Promise<void> {
    const refreshToken = this.refreshToken;
    this.refreshToken = undefined;
    const { status, body } = await this.once('POST', '/v1/auth/refresh', { refreshToken });
    if (status >= 400) throw errorFromBody(body ?? {});
    this.keep((body as { tokens?: SessionAnswer['tokens'] }).tokens ?? (body as SessionAnswer['tokens']));
  }

  private keep(tokens: SessionAnswer['tokens']): void {
    this.accessToken = tokens.accessToken;
    this.refreshToken = tokens.refreshToken;
  }

  private async once(method: Method, path: string, body: unknown): Promise<RestAnswer> {
    const response = await fetch(this.baseUrl + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.accessToken ? { authorization: `Bearer ${this.accessToken}` } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    this.onAnswer(path, text);
    lookAtAnswer(path, text);
    return { status: response.status, body: text === '' ? undefined : parsed(text) };
  }
}

/** Where a token is issued to its owner, and nowhere else. */
const ISSUES_TOKENS = ['/v1/auth/register', '/v1/auth/login', '/v1/auth/refresh', '/v1/auth/step-up'];

function lookAtAnswer(path: string, text: string): void {
  const run = CanaryRun.current();
  run?.look(
    'answers',
    text,
    `the answer of ${path.split('?')[0] ?? path}`,
    ISSUES_TOKENS.includes(path) ? run.byMark : run.inText,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.slice(0, 500) };
  }
}
