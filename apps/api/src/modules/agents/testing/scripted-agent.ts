import type {
  AgentChallenge,
  AgentToServerEvents,
  CommandEnvelope,
  CommandReceipt,
  CommandType,
  EnrolAnswer,
  ErrorBody,
  JournalEntry,
  RegisterAnswer,
  RegisterMessage,
  Result,
  SealedSecret,
  SignedCommand,
} from '@rahatback/contracts';
import { AGENT_NAMESPACE, AGENT_PROTOCOL, AppError, COMMAND_TYPES, errorFromBody } from '@rahatback/contracts';
import {
  enrolProofBytes,
  generateSealKeyPair,
  generateSigningKeyPair,
  openSealed,
  sessionProofBytes,
  signBytes,
  verifyCommand,
} from '@rahatback/crypto';
import { io, type Socket } from 'socket.io-client';
import { sha256Hex } from '../enrol-code.js';

type AgentEvent = keyof AgentToServerEvents;
type MessageOf<E extends AgentEvent> = Parameters<AgentToServerEvents[E]>[0];
type AnswerOf<E extends AgentEvent> =
  Parameters<AgentToServerEvents[E]> extends [unknown, (result: Result<infer T>) => void] ? T : void;
/** Answers with a receipt; left out or undefined: 'accepted'. Throws an AppError: refused. */
export type CommandHandler = (
  command: CommandEnvelope,
) => Promise<CommandReceipt | undefined | void> | CommandReceipt | undefined | void;

const ANSWER_LIMIT_MS = 15_000;

/** Everything that an agent keeps on disk: copy it, and there is a clone. */
export interface AgentIdentity {
  readonly enrolment: EnrolAnswer;
  readonly sign: { readonly publicKey: string; readonly privateKey: string };
  readonly seal: { readonly publicKey: string; readonly privateKey: string };
  generation: number;
}

/** What a test says differently from an honest agent. */
export type Lies = Partial<Pick<RegisterMessage, 'protocol' | 'generation' | 'signature' | 'agentId'>> & {
  /** Do not keep the new generation: a crash between the server's answer and the disk. */
  readonly forgetGeneration?: boolean;
  /** What the journal says; default: nothing. `false`: it is not sent. */
  readonly journal?: readonly JournalEntry[] | false;
};

/** An agent of real keys and a real socket that does what a test tells it, and nothing else. */
export class ScriptedAgent {
  /** Every genuine command, in the order of arrival, each time it came. */
  readonly commands: CommandEnvelope[] = [];
  /** Frames that were not of the pinned key. */
  readonly forged: SignedCommand[] = [];
  /** Why the server cut the last connection. */
  cutReason: ErrorBody | undefined;
  private readonly handlers = new Map<CommandType, CommandHandler>();
  private socket: Socket | undefined;

  constructor(
    readonly url: string,
    readonly identity: AgentIdentity,
  ) {}

  /** Makes keys and redeems a code. @throws AppError as the server refused */
  static async enrol(url: string, code: string, headers: Record<string, string> = {}): Promise<ScriptedAgent> {
    const sign = generateSigningKeyPair();
    const seal = generateSealKeyPair();
    const keys = { signPublicKey: sign.publicKey, sealPublicKey: seal.publicKey };
    const proof = signBytes(sign.privateKey, enrolProofBytes({ codeSha256Hex: sha256Hex(code), ...keys }));
    const response = await fetch(`${url}/v1/agents/enrol`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ code, deviceName: 'test machine', platform: 'linux x64', version: '0.1.0', ...keys, proof }),
    });
    const body = (await response.json()) as EnrolAnswer & ErrorBody;
    if (response.status !== 201) throw errorFromBody(body);
    return new ScriptedAgent(url, { enrolment: body, sign, seal, generation: 0 });
  }

  get id(): string {
    return this.identity.enrolment.agentId;
  }

  get isConnected(): boolean {
    return this.socket?.connected === true;
  }

  /** The same keys and session number on a second machine. */
  clone(url = this.url): ScriptedAgent {
    return new ScriptedAgent(url, { ...this.identity });
  }

  /** The answer to a type of command. Also counts for commands that come later on another connection. */
  on(type: CommandType, handler: CommandHandler): this {
    this.handlers.set(type, handler);
    return this;
  }

  /** Registers, keeps the new generation and sends the journal. @throws AppError as the server refused */
  async connect(lies: Lies = {}, url = this.url): Promise<RegisterAnswer> {
    const { journal = [], forgetGeneration = false, ...said } = lies;
    const { socket, challenge } = await this.dial(url);
    const answer = await this.ask<RegisterAnswer>(socket, 'agent:register', this.registration(challenge, said)).catch(
      (error: unknown) => {
        socket.disconnect();
        throw error;
      },
    );
    if (!forgetGeneration) this.identity.generation = answer.generation;
    if (journal !== false) await this.report('agent:journal', journal);
    return answer;
  }

  /** Opens a socket and waits for the challenge, without answering it. */
  async dial(url = this.url): Promise<{ socket: Socket; challenge: AgentChallenge }> {
    this.disconnect();
    const socket = io(`${url}${AGENT_NAMESPACE}`, { transports: ['websocket'], reconnection: false, forceNew: true });
    this.socket = socket;
    this.cutReason = undefined;
    socket.on('agent:cut', (reason: ErrorBody) => {
      this.cutReason = reason;
    });
    for (const type of COMMAND_TYPES) {
      socket.on(type, (frame: SignedCommand, ack: (result: Result<CommandReceipt>) => void) => {
        this.receive(type, frame).then(ack, (error: unknown) => {
          throw error;
        });
      });
    }
    const challenge = await new Promise<AgentChallenge>((resolve, reject) => {
      socket.once('agent:challenge', resolve);
      socket.once('connect_error', reject);
    });
    return { socket, challenge };
  }

  registration(challenge: AgentChallenge, said: Partial<RegisterMessage> = {}): RegisterMessage {
    const { serverId, nonce } = challenge;
    const agentId = said.agentId ?? this.id;
    const generation = said.generation ?? this.identity.generation;
    return {
      agentId,
      deviceName: 'test machine',
      platform: 'linux x64',
      version: '0.1.0',
      protocol: AGENT_PROTOCOL,
      tools: [{ name: 'pg_dump', version: '15.4', path: '/usr/bin/pg_dump' }],
      generation,
      signature: signBytes(this.identity.sign.privateKey, sessionProofBytes({ serverId, agentId, nonce, generation })),
      ...said,
    };
  }

  /** Sends a message and returns what the acknowledgement carries. @throws AppError as the server refused */
  report<E extends AgentEvent>(event: E, message: MessageOf<E>): Promise<AnswerOf<E>> {
    if (!this.socket) throw new Error('The agent is not connected.');
    return this.ask<AnswerOf<E>>(this.socket, event, message);
  }

  /** Anything at all, for frames that no honest agent sends. */
  send(event: string, message: unknown): Promise<unknown> {
    if (!this.socket) throw new Error('The agent is not connected.');
    return this.ask(this.socket, event, message);
  }

  /** The secret that was sealed to this agent. */
  async open(secret: SealedSecret): Promise<Buffer> {
    const { purpose, subject, version, enc, ciphertext } = secret;
    const recipientPrivateKey = this.identity.seal.privateKey;
    return openSealed({ recipientPrivateKey, agentId: this.id, purpose, subject, version, sealed: { enc, ciphertext } });
  }

  /** Leaves without a word to the server but the end of the connection. */
  disconnect(): void {
    this.socket?.disconnect();
    this.socket = undefined;
  }

  private async receive(type: CommandType, frame: SignedCommand): Promise<Result<CommandReceipt>> {
    const { commandPublicKey, commandKeyId } = this.identity.enrolment;
    if (frame.keyId !== commandKeyId || !verifyCommand(commandPublicKey, frame.body, frame.signature)) {
      this.forged.push(frame);
      return { ok: false, error: { code: 'COMMAND_REFUSED', message: 'The signature is not of the pinned key.' } };
    }
    const command = JSON.parse(frame.body) as CommandEnvelope;
    this.commands.push(command);
    try {
      const receipt = await this.handlers.get(type)?.(command);
      return { ok: true, value: receipt ?? { commandId: command.commandId, state: 'accepted' } };
    } catch (error) {
      if (error instanceof AppError) return { ok: false, error: error.toBody() };
      throw error;
    }
  }

  private async ask<T>(socket: Socket, event: string, message: unknown): Promise<T> {
    const result = (await socket.timeout(ANSWER_LIMIT_MS).emitWithAck(event, message)) as Result<T>;
    if (!result.ok) throw errorFromBody(result.error);
    return result.value;
  }
}
