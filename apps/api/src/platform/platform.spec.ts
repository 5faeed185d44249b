import fc from 'fast-check';
import { toAppError, toErrorBody } from './errors/to-error-body.js';
import { assertPlainJson } from './http/json-shape.js';
import { newId } from './ids.js';
import { correlationId, withCorrelation } from './logging/correlation.js';
import { redactUrl } from './logging/redaction.js';
import { frameOf } from './realtime/agent-frames.js';

describe('ids', () => {
  it('are UUIDs of version 7 that sort by time, also within one millisecond', () => {
    const ids = Array.from({ length: 10_000 }, () => newId());
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids.slice(0, 100))
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('errors', () => {
  it('that we do not know show nothing of themselves', () => {
    const body = toErrorBody(new Error('SELECT * FROM secrets'), 'correlation');
    expect(body).toEqual({ code: 'INTERNAL', message: expect.stringContaining('Try again'), correlationId: 'correlation' });
  });

  it('can be anything that is thrown', () => {
    fc.assert(fc.property(fc.anything(), (thrown) => toAppError(thrown).code.length > 0));
  });
});

describe('JSON from outside', () => {
  it('passes when it is plain, whatever is in it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/"(__proto__|constructor|prototype)":/.test(text));
        expect(() => assertPlainJson(JSON.parse(text))).not.toThrow();
      }),
    );
  });

  it.each(['{"__proto__":1}', '{"a":[{"constructor":{}}]}', '{"prototype":null}', '['.repeat(33) + ']'.repeat(33)])(
    'refuses %s',
    (text) => {
      expect(() => assertPlainJson(JSON.parse(text))).toThrow(expect.objectContaining({ code: 'VALIDATION' }));
    },
  );
});

describe('correlation ids', () => {
  it('are kept when well-formed, and made anew when they could break a log line', async () => {
    expect(await withCorrelation('request-12345', () => Promise.resolve(correlationId()))).toBe('request-12345');
    for (const bad of ['short', 'with\nnewline-123', 'x'.repeat(65), ['array-of-1'], undefined]) {
      expect(withCorrelation(bad, correlationId)).toMatch(/^[0-9a-f-]{36}$/);
    }
    expect(correlationId()).toBeUndefined();
  });
});

describe('logged addresses', () => {
  it('lose query and ticket', () => {
    expect(redactUrl('/v1/agents?token=secret')).toBe('/v1/agents');
    expect(redactUrl('/v1/parts/ticket?x=1')).toBe('/v1/parts/[redacted]');
    expect(redactUrl('/v1/downloads/ticket')).toBe('/v1/downloads/[redacted]');
  });
});

describe('frames of agents', () => {
  it('lose unknown fields, keep known ones, and are refused when a type is wrong', () => {
    const frame = { commandId: newId(), fence: 3 };
    expect(frameOf('upload:abort')?.parse({ ...frame, newer: true })).toEqual(frame);
    expect(frameOf('upload:abort')?.safeParse({ ...frame, fence: '3' }).success).toBe(false);
    expect(frameOf('upload:begin')?.safeParse({ ...frame, object: '../../manifest.json' }).success).toBe(false);
    expect(frameOf('constructor')).toBeUndefined();
  });
});
