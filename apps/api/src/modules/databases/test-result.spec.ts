import { parseTestResult, toTestAnswer } from './test-result.js';

describe('results of connection tests', () => {
  it('keep what is known and leave the rest', () => {
    const frame = {
      success: true,
      serverVersion: '15.4',
      latencyMs: 3.6,
      clientTool: 'pg_dump 15.20',
      compatible: true,
      commandId: 'x',
      secret: 's',
    };
    expect(parseTestResult(frame)).toEqual({
      success: true,
      serverVersion: '15.4',
      latencyMs: 4,
      clientTool: 'pg_dump 15.20',
      compatible: true,
    });
  });

  it('carry the code and sentence of a failure to the caller', () => {
    const stored = parseTestResult({ success: false, error: { code: 'DB_AUTH_FAILED', message: 'No.\0', details: { x: 1 } } });
    expect(toTestAnswer(stored, 'a')).toEqual({ success: false, code: 'DB_AUTH_FAILED', message: 'No.', agentId: 'a' });
  });

  it('never lack a reason', () => {
    for (const stored of [null, {}, { success: false }, parseTestResult({ success: false, error: { code: 'NEVER_HEARD' } })]) {
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

  it.each([null, 'x', [], { success: 'yes' }])('refuse %j', (frame) => {
    expect(() => parseTestResult(frame)).toThrow(expect.objectContaining({ code: 'WS_BAD_FRAME' }));
  });
});
