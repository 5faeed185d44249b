import { ISOLATION_KINDS, safeIsolations } from './throwaway-server.js';

describe('the isolation of a throw-away server', () => {
  it('is the sandbox or nothing where the server would run as the agent’s own user', () => {
    expect(safeIsolations(1000)).toEqual(['sandbox']);
    expect(safeIsolations(0)).toEqual(ISOLATION_KINDS);
  });
});
