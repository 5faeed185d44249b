import type { Asked } from './route-table.js';
import type { Credentials, Ids, Kind } from './world.js';
import type { RouteRow } from './route-table.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Differ between any two answers, or say how much an address has asked. */
const PASSING = /^(date|etag|x-correlation-id|x-ratelimit-.*|retry-after)$/;

let nextAddress = 1;

/** Every request from an address of its own, so that no limit per address is met. The API must trust 127.0.0.1. */
export async function send(url: string, route: string, asked: Asked, token?: string): Promise<Answer> {
  const [method = 'GET', template = '/'] = route.replace(/#.*$/, '').split(' ');
  const path = template.replace(':id', asked.id ?? '').replace(':ticket', asked.ticket ?? '');
  nextAddress += 1;
  const response = await fetch(`${url}${path}${asked.query === undefined ? '' : `?${asked.query}`}`, {
    method,
    redirect: 'manual',
    headers: {
      'x-forwarded-for': `10.${nextAddress >> 16}.${(nextAddress >> 8) & 255}.${nextAddress & 255}`,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(asked.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(asked.body === undefined ? {} : { body: JSON.stringify(asked.body) }),
    ...(asked.bytes === undefined ? {} : { body: new Uint8Array(asked.bytes) }),
  });
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
}

/** Which kinds of objects a request names. */
export function kindsOf(row: RouteRow, ids: Ids, credentials: Credentials): Kind[] {
  const named = new Set<Kind>();
  const watched = new Proxy(ids, {
    get: (target, kind: Kind) => {
      named.add(kind);
      return target[kind];
    },
  });
  row.ask(watched, credentials);
  return [...named];
}

/** An answer as it reads to somebody who cannot tell the ids apart: what is left must be the same for ids of others and for ids of nobody. */
export function withoutIds({ status, headers, body }: Answer, ids: Ids): string {
  const kept = Object.entries(headers).filter(([name]) => !PASSING.test(name));
  const plain = body.replace(/"correlationId":"[^"]*"/, '"correlationId":""');
  const text = `${status} ${JSON.stringify(kept)} ${plain}`;
  return Object.entries(ids).reduce((shown, [kind, id]) => shown.replaceAll(id, `<${kind}>`), text);
}

/** The first secrets that a text holds, apart from what the asker has said. */
export const leaksIn = (text: string, secrets: ReadonlySet<string>, said: string): string[] =>
  [...secrets].filter((secret) => text.includes(JSON.stringify(secret).slice(1, -1)) && !said.includes(secret));
