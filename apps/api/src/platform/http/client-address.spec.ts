import type { IncomingMessage } from 'node:http';
import { clientAddressOf, countedAs } from './client-address.js';

const from = (remoteAddress: string, forwarded?: string): IncomingMessage =>
  ({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } }) as IncomingMessage;

describe('the address of a client', () => {
  it('is the one of the connection, whatever it says, where no proxy is trusted', () => {
    const addressOf = clientAddressOf([]);
    expect(addressOf(from('198.51.100.1', '8.8.8.8'))).toBe('198.51.100.1');
    expect(addressOf(from('127.0.0.1', '8.8.8.8, 127.0.0.1'))).toBe('127.0.0.1');
  });

  it('is the last one that no proxy of ours has', () => {
    const addressOf = clientAddressOf(['10.0.0.0/8', '::1']);
    expect(addressOf(from('10.0.0.1', '203.0.113.5'))).toBe('203.0.113.5');
    expect(addressOf(from('::1', '6.6.6.6, 203.0.113.5, 10.0.0.2'))).toBe('203.0.113.5');
    expect(addressOf(from('203.0.113.9', '6.6.6.6'))).toBe('203.0.113.9');
    expect(addressOf(from('10.0.0.1'))).toBe('10.0.0.1');
  });

  it('counts for itself in IPv4, and for its /64 in IPv6', () => {
    expect([countedAs('::ffff:198.51.100.1'), countedAs('198.51.100.1')]).toEqual(['198.51.100.1', '198.51.100.1']);
    expect(countedAs('2001:db8:1:2:aaaa::1')).toBe(countedAs('2001:db8:1:2:bbbb::2'));
    expect(countedAs('2001:db8:1:2::1')).not.toBe(countedAs('2001:db8:1:3::1'));
    expect(countedAs('unknown')).toBe('unknown');
  });
});
