import { openAgentSocket } from '@rahatback/api-client';
import type { ToolVersion } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { CommandIntake } from '../commands/command-intake.js';
import { CommandRunner } from '../commands/command-runner.js';
import type { Executors } from '../commands/executor.js';
import type { AgentConfig } from '../config/agent-config.js';
import { ResultOutbox } from '../connection/result-outbox.js';
import { ServerClock } from '../connection/server-clock.js';
import { ServerLink, type LinkHandlers, type LinkReport } from '../connection/server-link.js';
import { ServerRequests } from '../connection/server-requests.js';
import { CommandJournal } from '../journal/command-journal.js';
import { isEnded, isRepeatable, type CommandEntry } from '../journal/journal-state.js';
import type { AgentLog } from '../log.js';
import type { AgentHome } from '../state/agent-home.js';
import { removeTemporaries } from '../state/atomic-file.js';
import { lockHome, type HomeLock } from '../state/home-lock.js';
import { requireEnrolled, type AgentIdentity, type AgentKeys } from '../state/identity.store.js';
import { register } from './register.js';
import { settleInterrupted, type InterruptedWork } from './settle-interrupted.js';
import { StatusWriter } from './status-writer.js';

const LEASE_CHECK_MS = 1_000;
/** As many entries as the server reads; the others follow with the next session. */
const MAX_REPORTED = 10_000;

/** What the daemon is given to work with; tests give smaller tools. */
export interface DaemonParts {
  readonly tools: () => Promise<readonly ToolVersion[]>;
  readonly executors: (parts: {
    identity: AgentIdentity;
    keys: AgentKeys;
    requests: ServerRequests;
    link: ServerLink;
  }) => Executors;
  readonly interrupted: (parts: {
    identity: AgentIdentity;
    keys: AgentKeys;
  }) => Pick<InterruptedWork, 'killChild' | 'dropStaging' | 'reopen' | 'isRestored' | 'settleFiles'>;
  /** Longest pause between two attempts to reconnect. */
  readonly maxReconnectDelayMs?: number;
}

export interface DaemonOptions {
  readonly home: AgentHome;
  readonly config: Pick<AgentConfig, 'concurrency'>;
  readonly log: AgentLog;
  readonly parts: DaemonParts;
}

/** The agent as it runs: one home, one connection, one journal. */
export class AgentDaemon {
  readonly clock = new ServerClock();
  readonly #startedAt = new Date().toISOString();
  readonly #status: StatusWriter;
  readonly #link: ServerLink;
  readonly #outbox: ResultOutbox;
  readonly #runner: CommandRunner;
  readonly #intake: CommandIntake;
  readonly #leaseWatch: NodeJS.Timeout;
  #lastContactAt: string | null = null;
  #lastReport: LinkReport = { link: 'connecting', error: null };
  #isStopping = false;
  /** Found before the connection, since the server waits only moments for a registration; looked for again after each. */
  #tools: readonly ToolVersion[] = [];
  #onRevoked: (error: AppError) => void = () => undefined;
  /** Settles when the server has revoked this agent. */
  readonly revoked = new Promise<AppError>((resolve) => (this.#onRevoked = resolve));

  private constructor(
    private readonly options: DaemonOptions,
    private readonly enrolled: { readonly identity: AgentIdentity; readonly keys: AgentKeys },
    private readonly journal: CommandJournal,
    private readonly lock: HomeLock,
    private resumable: CommandEntry[],
  ) {
    const { home, log, config, parts } = options;
    const { identity } = enrolled;
    const reconnect = parts.maxReconnectDelayMs;
    const socket = openAgentSocket(identity.serverUrl, reconnect === undefined ? {} : { maxReconnectDelayMs: reconnect });
    this.#status = new StatusWriter(home, log);
    this.#link = new ServerLink({ socket, log, handlers: this.#handlers() });
    this.#outbox = new ResultOutbox({
      journal,
      log,
      send: ({ event, message }) => this.#link.ask(event, message as never),
      isReady: () => this.#link.isReady,
    });
    const onEnded = (commandId: string): void => this.#outbox.push(commandId);
    const executors = parts.executors({ ...enrolled, requests: new ServerRequests(this.#link), link: this.#link });
    this.#runner = new CommandRunner({ journal, executors, concurrency: config.concurrency, log, onEnded });
    this.#intake = new CommandIntake({
      home,
      journal,
      runner: this.#runner,
      trust: identity,
      serverNowMs: () => this.clock.now(),
      log,
      onEnded,
    });
    this.#leaseWatch = setInterval(() => this.#checkLease(), LEASE_CHECK_MS);
  }

  /**
   * Takes the home, settles what a former process left, and connects.
   * @throws AppError CONFLICT when another daemon holds the home, AGENT_AUTH_FAILED when it is not enrolled, DATA_CORRUPT
   */
  static async start(options: DaemonOptions): Promise<AgentDaemon> {
    const { home, log, parts } = options;
    await home.ensure();
    const lock = lockHome(home);
    try {
      const enrolled = await requireEnrolled(home);
      await removeTemporaries(home.path);
      const journal = await CommandJournal.open(home);
      const resumable = await settleInterrupted({ journal, log, ...parts.interrupted(enrolled) });
      await journal.compact().catch((error: unknown) => log.warn({ err: error }, 'The journal could not be compacted'));
      const daemon = new AgentDaemon(options, enrolled, journal, lock, resumable);
      log.info({ agentId: enrolled.identity.agentId, server: enrolled.identity.serverUrl, home: home.path }, 'Agent started');
      await daemon.#findTools();
      daemon.#link.start();
      return daemon;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Stops what runs, keeps its results for the next start, and lets the home go. May run twice. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    clearInterval(this.#leaseWatch);
    await this.#runner.close(new AppError('AGENT_RESTARTED', 'The agent was stopped while this was running. Start it again.'));
    this.#link.close();
    this.#outbox.close();
    this.#report({ link: 'connecting', error: null });
    await this.#status.settled();
    await this.journal.close();
    this.lock.release();
    this.options.log.info('Agent stopped');
  }

  #handlers(): LinkHandlers {
    const { home, log } = this.options;
    return {
      register: (challenge, socket) => register(challenge, socket, { home, ...this.enrolled, tools: this.#tools }),
      onReady: () => this.#onReady(),
      onCommand: (type, command, reply) => {
        this.#intake
          .receive(type, command, reply)
          .catch((error: unknown) => log.error({ err: error, type }, 'A command could not be taken'));
      },
      heartbeat: () => ({
        running: this.#runner.active().map(({ commandId, resource, fence }) => ({ commandId, resource, fence })),
      }),
      onStop: (commandIds) => this.#stopCommands(commandIds),
      onServerTime: (serverTime) => {
        this.clock.set(serverTime);
        this.#lastContactAt = new Date().toISOString();
      },
      onChange: (report) => this.#report(report),
      onRevoked: (error) => {
        log.fatal({ error: error.toBody() }, 'This agent was revoked');
        this.#report({ link: 'refused', error });
        this.#onRevoked(error);
      },
    };
  }

  async #onReady(): Promise<void> {
    const { journal, options } = this;
    const answer = await this.#link.ask('agent:journal', journal.report().slice(0, MAX_REPORTED));
    if (!answer.ok) options.log.warn({ error: answer.error }, 'The server could not read the journal');
    for (const id of answer.ok ? answer.value.forget : []) await this.#forget(id);
    options.log.info({ open: journal.open().length, resumable: this.resumable.length }, 'Online');
    const resumable = this.resumable;
    this.resumable = [];
    for (const { id } of resumable) {
      const entry = journal.get(id);
      if (entry === undefined) continue;
      const isAgain = entry.state === 'running' && isRepeatable(entry.type);
      if (entry.state === 'accepted' || isAgain) await this.#intake.resume(entry);
    }
    this.#outbox.flush();
    this.#findTools().catch((error: unknown) => options.log.warn({ err: error }, 'The client tools could not be looked for'));
  }

  async #findTools(): Promise<void> {
    this.#tools = await this.options.parts.tools();
  }

  /** The server has this command's end; whatever still runs of it is in vain. */
  async #forget(id: string): Promise<void> {
    const entry = this.journal.get(id);
    if (entry === undefined) return;
    const isActive = this.#runner.stop(id, this.#unwanted());
    if (isActive) return;
    if (!isEnded(entry)) await this.journal.ended(id, 'cancelled', null);
    await this.journal.confirmed(id);
  }

  #stopCommands(commandIds: readonly string[]): void {
    for (const id of commandIds) {
      if (this.#runner.stop(id, this.#unwanted()))
        this.options.log.warn({ commandId: id }, 'The server no longer wants this command');
    }
  }

  #unwanted(): AppError {
    return new AppError('FENCED', 'The server has ended this attempt: a newer one may have begun, or it was cancelled.');
  }

  /** Out of touch for so long that the server has given the work up: going on would only waste the database's time. */
  #checkLease(): void {
    if (this.#link.leaseLeftMs() > 0 || this.#runner.active().length === 0) return;
    this.options.log.warn('The lease ended while the server was away: stopping what runs');
    this.#runner.stopAll(
      new AppError('LEASE_EXPIRED', 'The agent was out of touch with the server for too long. Start it again.'),
    );
  }

  #report(report: LinkReport): void {
    this.#lastReport = report;
    this.#status.set({
      pid: process.pid,
      startedAt: this.#startedAt,
      link: this.#isStopping ? 'stopped' : this.#lastReport.link,
      lastContactAt: this.#lastContactAt,
      lastError: report.error === null ? null : `${report.error.code}: ${report.error.message}`,
    });
  }
}
