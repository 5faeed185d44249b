/** In `confirmed`: an operator has re-accepted the agent, whichever generation comes first is believed. */
export const ANY_GENERATION = -1;

export interface Generations {
  /** The newest generation that the agent is known to hold on disk. */
  readonly confirmed: number;
  /** The newest generation handed out. The agent, or the server, may have died before the agent kept it. */
  readonly pending: number;
}

/**
 * Decides a session by the generation that the agent says it holds. Every session hands out a number never handed out before, so of two holders of
 * one key at most one can keep up: the other shows an old number at its next session. Confirmed and pending are both right, because a crash between
 * handing out and keeping leaves the real agent with the confirmed one.
 *
 * @returns what to keep and hand out (`pending`); undefined when the number is an old or an invented one: a cloned key or a rolled-back machine
 */
export function nextGenerations(held: number, known: Generations): Generations | undefined {
  const isKnown = known.confirmed === ANY_GENERATION || held === known.confirmed || held === known.pending;
  return isKnown ? { confirmed: held, pending: Math.max(held, known.pending) + 1 } : undefined;
}
