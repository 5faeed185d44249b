import { AddressRules } from './address-rules.js';

const rules = (...networks: string[]): AddressRules => new AddressRules(networks);

describe('the rules of addresses', () => {
  it.each(['8.8.8.8', '93.184.216.34', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808'])('let %s pass', (address) => {
    expect(rules().judge(address)).toBe('allowed');
  });

  it.each([
    ...[
      '10.0.0.1',
      '172.16.0.1',
      '192.168.1.1',
      '127.0.0.1',
      '127.255.255.254',
      '100.64.0.1',
      '192.0.2.1',
      '198.18.0.1',
      '240.0.0.1',
    ],
    ...[
      '::1',
      'fc00::1',
      'fd12:3456::1',
      '::ffff:127.0.0.1',
      '::ffff:10.0.0.1',
      '::ffff:7f00:1',
      '64:ff9b::7f00:1',
      '64:ff9b::a00:1',
    ],
    ...['64:ff9b:1::1', '2002:7f00:1::', '2001::1', '2001:db8::1', 'fec0::1', '::7f00:1', '::ffff:0:7f00:1', '4000::1'],
  ])('refuse %s until the settings allow its network', (address) => {
    expect(rules().judge(address)).toBe('private');
  });

  it.each([
    ...['169.254.169.254', '169.254.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '100.100.100.200', '192.0.0.192'],
    ...[
      'fe80::1',
      'fe80::1%eth0',
      '::',
      'ff02::1',
      'fd00:ec2::254',
      '::ffff:169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      '::ffff:0.0.0.0',
    ],
    ...['localhost', '', '2852039166', '0x7f000001', '0177.0.0.1', '127.1', '1.2.3.4.5', 'a b'],
  ])('refuse %j whatever the settings say', (address) => {
    expect(rules('0.0.0.0/0', '::/0').judge(address)).toBe('never');
  });

  it('allow exactly the networks of the settings', () => {
    const some = rules('10.1.0.0/16', '127.0.0.1', 'fd12::/16');
    const allowed = ['10.1.255.255', '127.0.0.1', '::ffff:10.1.0.1', '64:ff9b::a01:1', 'fd12::1'];
    const refused = ['10.2.0.1', '127.0.0.2', 'fd13::1', '::1'];
    expect(allowed.map((address) => some.judge(address))).toEqual(allowed.map(() => 'allowed'));
    expect(refused.map((address) => some.judge(address))).toEqual(refused.map(() => 'private'));
    for (const text of ['10.0.0.0/33', 'storage.local', '10.0.0/8x', '']) expect(() => rules(text)).toThrow();
  });
});
