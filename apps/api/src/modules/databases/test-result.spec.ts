import { keptResult, toTestAnswer } from './test-result.js';

const REPORT = { commandId: 'x', fence: 0, success: false };

describe('results of connection tests', () => {
  it('keep what is known and leave the rest', () => {
    const frame = {
      success: true,
      serverVersion: '15.4',
      latencyMs: 3.6,
      clientTool: 'pg_dump 15.20',
      compatible: true,
      commandId: 'x',
      fence: 0,
      secret: 's',
    };
    expect(keptResult(frame)).toEqual({
      success: true,
      serverVersion: '15.4',
      latencyMs: 4,
      clientTool: 'pg_dump 15.20',
      compatible: true,
    });
  });

  it('carry the code and sentence of a failure to the caller', () => {
    const stored = keptResult({ ...REPORT, error: { code: 'DB_AUTH_FAILED', message: 'No.\0', details: { x: 1 } } });
    expect(toTestAnswer(stored, 'a')).toEqual({ success: false, code: 'DB_AUTH_FAILED', message: 'No.', agentId: 'a' });
  });

  it('never lack a reason', () => {
    for (const stored of [
      null,
      {},
      { success: false },
      keptResult({ ...REPORT, error: { code: 'NEVER_HEARD' as 'INTERNAL', message: '' } }),
      keptResult(REPORT),
    ]) {
      expect(toTestAnswer(stored, 'a')).toMatchObject({
        success: false,
        code: 'DB_UNREACHABLE',
        message: expect.stringMatching(/agent/),
      });
    }
    expect(toTestAnswer({ error: { code: 'COMMAND_REFUSED', message: 'Policy.' } }, 'a')).toMatchObject({
      code: 'COMMAND_REFUSED',
    });
  });
});
