import { onceAnswered, whoAndWhere } from './logging.module.js';

type Seen = Parameters<typeof whoAndWhere>[0];

describe('who and where of a logged request', () => {
  it('is its address and actor', () => {
    const seen = { socket: {}, ip: '10.0.0.1', actor: { userId: 'u', workspaceId: 'w', role: 'owner' } } as unknown as Seen;
    expect(whoAndWhere(seen)).toEqual({ ip: '10.0.0.1', userId: 'u', workspaceId: 'w' });
  });

  it('is said once, when the request is answered', () => {
    const seen = { socket: {}, ip: '10.0.0.1' } as unknown as Seen;
    const props = onceAnswered(whoAndWhere);
    expect([props(seen), props(seen)]).toEqual([{}, { ip: '10.0.0.1' }]);
  });

  it('does not ask for the address of a client that has gone', () => {
    const gone = {
      socket: null,
      get ip(): string {
        throw new TypeError("Cannot read properties of null (reading 'remoteAddress')");
      },
    } as unknown as Seen;
    expect(whoAndWhere(gone)).toEqual({});
  });
});
