import { assertReachableHost } from './reachable-host.js';

const FORBIDDEN = [
  'http://169.254.169.254',
  'http://169.254.169.254:8080/latest',
  'http://2852039166',
  'http://0xA9FEA9FE',
  'http://[::ffff:169.254.169.254]',
  'http://[::ffff:a9fe:a9fe]:80',
  'http://[fe80::1]',
  'http://[fd00:ec2::254]',
  'http://[64:ff9b::a9fe:a9fe]',
  'http://[2002:a9fe:a9fe::1]',
  'file:///etc/passwd',
  'gopher://127.0.0.1:70',
  'ftp://host',
  'https://user:secret@host',
  'https://host/?x=1',
  'not a url',
];

describe('assertReachableHost', () => {
  it.each(FORBIDDEN)('refuses %s', async (address) => {
    await expect(assertReachableHost(address)).rejects.toMatchObject({ code: 'HOST_FORBIDDEN' });
  });

  it.each([
    'http://127.0.0.1:9000',
    'https://10.0.0.5',
    'http://[::1]:9000',
    'http://localhost:9000',
    'https://no.such.host.invalid',
  ])('lets %s pass', async (address) => {
    await expect(assertReachableHost(address)).resolves.toBeUndefined();
  });
});
