import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type {
  AgentToServerEvents,
  CommandEnvelope,
  CommandReceipt,
  JournalEntry,
  RegisterMessage,
  Result,
  ServerToAgentEvents,
} from '@rahatback/contracts';
import { AppError, failed, ok } from '@rahatback/contracts';
import { enrolProofBytes, fingerprint, generateSigningKeyPair, sessionProofBytes, verifyBytes } from '@rahatback/crypto';
import { Server, type Socket } from 'socket.io';
import { RESULT_EVENTS } from '../journal/journal-record.js';
import { newAgent, signed, type EnrolledAgent } from './command-factory.js';
import { ScriptedStorage } from './scripted-storage.js';

type AgentSocket = Socket<AgentToServerEvents, ServerToAgentEvents>;
type Reply = (result: Result<unknown>) => void;

export interface RecordedMessage {
  readonly event: string;
  readonly message: Record<string, unknown>;
}

export interface ServerScript {
  /** Answers an event other than the handshake and heartbeat; undefined lets the question go unanswered. Default: confirmed. */
  answer?(event: string, message: Record<string, unknown>): Result<unknown> | Promise<Result<unknown>> | undefined;
  /** A heartbeat is answered unless this says no. */
  answersHeartbeats?(): boolean;
  stop?(): readonly string[];
  forget?(entries: readonly JournalEntry[]): readonly string[];
  /** Refuses a registration that is genuine. */
  refuse?(message: RegisterMessage): AppError | null;
  readonly heartbeatIntervalMs?: number;
  readonly leaseMs?: number;
}

const RESULTS: readonly string[] = RESULT_EVENTS;
const OTHERS = [
  'backup:started',
  'restore:started',
  'verification:started',
  'backup:progress',
  'restore:progress',
  'verification:progress',
  'upload:begin',
  'upload:part',
  'upload:complete',
  'upload:publish',
  'upload:abort',
  'download:open',
];

/** The server's side of the agent protocol with real signatures, and everything that a test wants to see or go wrong. */
export class ScriptedServer {
  readonly received: RecordedMessage[] = [];
  readonly journals: (readonly JournalEntry[])[] = [];
  readonly registrations: RegisterMessage[] = [];
  /** What came first on each connection. */
  readonly firstEvents: string[] = [];
  readonly storage = new ScriptedStorage();
  /** Codes that enrol, once each. */
  readonly enrolCodes = new Set<string>();
  recoveryRecipient: string | null = null;
  script: ServerScript = {};
  #socket: AgentSocket | undefined;
  #generation = 0;
  #agent: EnrolledAgent | undefined;

  private constructor(
    private readonly io: Server<AgentToServerEvents, ServerToAgentEvents>,
    readonly url: string,
  ) {
    io.of('/agent').on('connection', (socket) => this.#greet(socket));
  }

  static async start(port = 0): Promise<ScriptedServer> {
    const http = createServer();
    const io = new Server<AgentToServerEvents, ServerToAgentEvents>(http, {
      transports: ['websocket'],
      maxHttpBufferSize: 1_000_000,
    });
    await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
    const server = new ScriptedServer(io, `http://127.0.0.1:${(http.address() as AddressInfo).port}`);
    server.storage.url = server.url;
    http.on('request', (request, response) => {
      if (request.url?.startsWith('/socket.io/') === true) return;
      server.#serve(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
    return server;
  }

  /** Whose registrations are genuine. */
  expect(agent: EnrolledAgent): void {
    this.#agent = agent;
  }

  get isConnected(): boolean {
    return this.#socket?.connected === true;
  }

  results(event?: string): RecordedMessage[] {
    return this.received.filter((entry) => (event === undefined ? RESULTS.includes(entry.event) : entry.event === event));
  }

  /** Sends a command and waits for its receipt. @throws when none comes */
  async send(command: CommandEnvelope, timeoutMs = 20_000): Promise<Result<CommandReceipt>> {
    return this.sendRaw(command.type, signed(this.#requireAgent(), command), timeoutMs);
  }

  async sendRaw(type: string, frame: unknown, timeoutMs = 20_000): Promise<Result<CommandReceipt>> {
    if (this.#socket === undefined) throw new Error('No agent is connected.');
    const timed = this.#socket.timeout(timeoutMs) as unknown as {
      emitWithAck(event: string, body: unknown): Promise<Result<CommandReceipt>>;
    };
    return timed.emitWithAck(type, frame);
  }

  cut(error: AppError): void {
    this.#socket?.emit('agent:cut', error.toBody());
  }

  /** Breaks the connection below Socket.IO, as a network does. */
  breakConnection(): void {
    this.#socket?.conn.close(true);
  }

  async close(): Promise<void> {
    await this.io.close();
  }

  get agent(): EnrolledAgent {
    return this.#requireAgent();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/v1/parts/') === true) {
      await this.storage.serve(request, response);
      return;
    }
    const answer = this.#enrol((await json(request)) as Readonly<Record<string, string>>);
    response.writeHead(answer === null ? 401 : 201, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(answer ?? { code: 'ENROL_REFUSED', message: 'The code is wrong, used or too old: make a new one.' }),
    );
  }

  #enrol(body: Readonly<Record<string, string>>): object | null {
    const { code = '', signPublicKey = '', sealPublicKey = '', proof = '', deviceName = '' } = body;
    const codeSha256Hex = createHash('sha256').update(code).digest('hex');
    const isProven = verifyBytes(signPublicKey, enrolProofBytes({ codeSha256Hex, signPublicKey, sealPublicKey }), proof);
    if (!this.enrolCodes.delete(code) || !isProven) return null;
    const made = newAgent(this.url);
    const commandKey = generateSigningKeyPair();
    const words = fingerprint({ signPublicKey, sealPublicKey, serverPublicKey: commandKey.publicKey });
    const identity = {
      ...made.identity,
      agentId: randomUUID(),
      deviceName,
      commandPublicKey: commandKey.publicKey,
      fingerprint: words,
    };
    // The private halves stay with the agent: what the server knows of them is nothing.
    const keys = { sign: { publicKey: signPublicKey, privateKey: '' }, seal: { publicKey: sealPublicKey, privateKey: '' } };
    this.expect({ identity, keys, commandKey });
    const { agentId, workspaceId, serverId, commandKeyId } = identity;
    return {
      agentId,
      workspaceId,
      serverId,
      commandPublicKey: commandKey.publicKey,
      commandKeyId,
      recoveryRecipient: this.recoveryRecipient,
      fingerprint: words,
    };
  }

  #requireAgent(): EnrolledAgent {
    if (this.#agent === undefined) throw new Error('Say first whom to expect.');
    return this.#agent;
  }

  #greet(socket: AgentSocket): void {
    const nonce = randomBytes(32).toString('base64');
    const { serverId } = this.#requireAgent().identity;
    const first = (event: string): void => {
      this.firstEvents.push(event);
      socket.offAny(first);
    };
    socket.onAny(first);
    socket.on('agent:register', (message, ack) => {
      const answer = this.#register(nonce, message);
      if (answer.ok) this.#socket = socket;
      (ack as Reply)(answer);
    });
    socket.on('agent:journal', (entries, ack) => {
      this.journals.push(entries);
      (ack as Reply)(ok({ forget: this.script.forget?.(entries) ?? [] }));
    });
    socket.on('heartbeat', (_message, ack) => {
      if (this.script.answersHeartbeats?.() === false) return;
      (ack as Reply)(ok({ serverTime: new Date().toISOString(), stop: this.script.stop?.() ?? [] }));
    });
    for (const event of [...RESULTS, ...OTHERS]) {
      socket.on(event as 'upload:abort', (message: unknown, ack: unknown) =>
        this.#answer(event, message, ack as Reply | undefined),
      );
    }
    socket.emit('agent:challenge', { nonce, serverId, serverTime: new Date().toISOString(), minProtocol: 1, maxProtocol: 1 });
  }

  #register(nonce: string, message: RegisterMessage): Result<unknown> {
    const { identity, keys } = this.#requireAgent();
    const { agentId, serverId } = identity;
    const proof = sessionProofBytes({ serverId, agentId, nonce, generation: message.generation });
    if (message.agentId !== agentId || !verifyBytes(keys.sign.publicKey, proof, message.signature)) {
      return failed({ code: 'AGENT_AUTH_FAILED', message: 'The proof is wrong.' });
    }
    const refusal = this.script.refuse?.(message) ?? null;
    if (refusal !== null) return failed(refusal.toBody());
    if (message.generation < this.#generation) return failed({ code: 'AGENT_QUARANTINED', message: 'An old generation.' });
    this.registrations.push(message);
    this.#generation += 1;
    const { heartbeatIntervalMs = 1_000, leaseMs = 900_000 } = this.script;
    return ok({ generation: this.#generation, serverTime: new Date().toISOString(), heartbeatIntervalMs, leaseMs });
  }

  #answer(event: string, message: unknown, ack: Reply | undefined): void {
    const body = message as Record<string, unknown>;
    this.received.push({ event, message: body });
    if (ack === undefined) return;
    const answer =
      this.script.answer === undefined
        ? (this.storage.answer(event, body) ?? ok({ confirmed: true }))
        : this.script.answer(event, body);
    if (answer === undefined) return;
    Promise.resolve(answer).then(ack, (error: unknown) => ack(failed({ code: 'INTERNAL', message: String(error) })));
  }
}
