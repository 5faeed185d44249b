import type { Result } from '@rahatback/contracts';
import { AGENT_NAMESPACE } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import WebSocket from 'ws';
import { newId } from '../../ids.js';
import { SIGNATURE } from './admit-all.js';

export interface RawSocket {
  readonly ws: WebSocket;
  /** Every text frame that came, in order. */
  readonly frames: readonly string[];
  readonly agentId: string;
  /** How it ended; undefined while it is open. */
  end(): { readonly code: number; readonly reason: string } | undefined;
  /** Waits for a frame that begins so, and answers it. */
  frame(start: string): Promise<string>;
  /** An event of the agents' namespace, with an acknowledgement when `id` is given. */
  say(event: string, message: unknown, id?: number): void;
  ended(timeoutMs?: number): Promise<{ readonly code: number; readonly reason: string }>;
}

/** The handshake's refusal as text: status and body. */
class Refused extends Error {}

/** A client that knows no Engine.IO: what goes over the wire is up to the test. Throws Error with status and body of a refused handshake. */
export async function openRaw(url: string, headers: Record<string, string> = {}, path?: string): Promise<RawSocket> {
  const ws = new WebSocket(`${url.replace('http', 'ws')}${path ?? '/socket.io/?EIO=4&transport=websocket'}`, { headers });
  const frames: string[] = [];
  let end: { code: number; reason: string } | undefined;
  ws.on('message', (data: Buffer) => {
    const frame = data.toString();
    if (frame === '2')
      ws.send('3'); // the heartbeat of Engine.IO
    else frames.push(frame);
  });
  ws.on('close', (code, reason) => (end = { code, reason: reason.toString() }));
  ws.on('error', () => undefined); // a reset while it writes; `close` follows
  await new Promise<void>((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('error', reject);
    ws.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (bytes: Buffer) => (body += bytes.toString()));
      response.on('end', () => reject(new Refused(`${response.statusCode} ${body}`)));
    });
  });
  const agentId = newId();
  const raw: RawSocket = {
    ws,
    frames,
    agentId,
    end: () => end,
    frame: async (start) => {
      await waitFor(() => frames.some((one) => one.startsWith(start)), { describe: `a frame ${start}` });
      return frames.find((one) => one.startsWith(start)) ?? '';
    },
    say: (event, message, id) => ws.send(`42${AGENT_NAMESPACE},${id ?? ''}${JSON.stringify([event, message])}`),
    ended: async (timeoutMs = 20_000) => {
      await waitFor(() => end !== undefined, { describe: 'the socket to be closed', timeoutMs });
      return end ?? { code: 0, reason: '' };
    },
  };
  return raw;
}

/** Joins the agents' namespace and registers. */
export async function openAgent(url: string, headers: Record<string, string> = {}): Promise<RawSocket> {
  const raw = await openRaw(url, headers);
  raw.ws.send(`40${AGENT_NAMESPACE},`);
  await raw.frame(`42${AGENT_NAMESPACE},["agent:challenge"`);
  const register = { deviceName: 'd', platform: 'linux', version: '1.0.0', protocol: 1, tools: [], generation: 0 };
  raw.say('agent:register', { ...register, agentId: raw.agentId, signature: SIGNATURE }, 1);
  const answer = await raw.frame(`43${AGENT_NAMESPACE},1`);
  const [result] = JSON.parse(answer.slice(answer.indexOf('['))) as [Result<unknown>];
  if (!result.ok) throw new Error(result.error.message);
  return raw;
}
