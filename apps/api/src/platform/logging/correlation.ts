import { AsyncLocalStorage } from 'node:async_hooks';
import { newId } from '../ids.js';

const storage = new AsyncLocalStorage<string>();
const ACCEPTED = /^[A-Za-z0-9._-]{8,64}$/;

/** The id of the request, socket message or job that is being worked on; undefined outside of any. */
export const correlationId = (): string | undefined => storage.getStore();

/** Runs `work` under a correlation id: the given one if it is well-formed, else a new one. */
export const withCorrelation = <T>(given: unknown, work: () => T): T =>
  storage.run(typeof given === 'string' && ACCEPTED.test(given) ? given : newId(), work);
