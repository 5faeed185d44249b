import fc from 'fast-check';
import { associatedData, canonicalJson } from './canonical-json.js';

describe('canonicalJson', () => {
  it('gives the bytes of the example in RFC 8785, section 3.2.2 to 3.2.4', () => {
    const value: unknown = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],' +
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    );
    expect(canonicalJson(value).toString('hex')).toBe(
      Buffer.from(
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
          '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
      ).toString('hex'),
    );
  });

  it('sorts members by UTF-16 code units, as RFC 8785, section 3.2.3', () => {
    const value = { '€': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, ö: 7 };
    expect(canonicalJson(value).toString()).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\ud83d\ude00":5,"\ufb33":3}');
  });

  it('gives one text for one value, in whatever order its members came (fast-check)', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const shuffled = Object.fromEntries(Object.entries(value).reverse());
        const once = canonicalJson(value);
        return once.equals(canonicalJson(shuffled)) && once.equals(canonicalJson(JSON.parse(once.toString())));
      }),
    );
  });

  it.each([[undefined], [NaN], [{ a: Infinity }], ['\ud800'], [() => 1]])('refuses %p, which JSON cannot hold', (value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError);
  });
});

describe('associatedData', () => {
  const context = {
    format: 'rahatback/1',
    workspace: 'w',
    database: 'd',
    backupId: 'b',
    object: 'data',
    volume: 1,
    engine: 'postgresql',
    dumpFormat: 'custom',
    compression: 'zstd',
  };
  const bytes =
    '{"backupId":"b","compression":"zstd","database":"d","dumpFormat":"custom","engine":"postgresql","format":"rahatback/1",' +
    '"object":"data","volume":1,"workspace":"w"}';

  it('is the nine members and nothing else', () => {
    expect(associatedData(context).toString()).toBe(bytes);
    const wider = { ...context, addedLater: true };
    expect(associatedData(wider).toString()).toBe(bytes);
  });

  it('differs when any member does', () => {
    for (const name of Object.keys(context)) {
      expect(associatedData({ ...context, [name]: name === 'volume' ? 2 : 'other' }).toString()).not.toBe(bytes);
    }
  });
});
