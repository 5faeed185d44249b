import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';

const root = dirname(createRequire(join(process.cwd(), 'package.json')).resolve('@rahatback/api/package.json')).replace(
  /\/apps\/api$/,
  '',
);

/** Product code: no tests, nothing that only tests use, nothing that was made by a program. */
const FILES = ['apps', 'libs'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(
      (name) =>
        /\/src\/.*\.tsx?$/.test(name) && !/spec\.ts$|suite\.ts$|\/testing\/|^testing\/|^e2e\/|conformance|generated/.test(name),
    )
    .map((name) => join(folder, name)),
);

/** What our code must not say, and where it may. */
const GATES: readonly { readonly what: string; readonly pattern: RegExp; readonly except?: RegExp }[] = [
  { what: 'random numbers that can be guessed', pattern: /Math\.random\(/ },
  {
    what: 'a TLS connection to anybody',
    pattern: /rejectUnauthorized:\s*false|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity:/,
    // sslmode as libpq knows it, as a person chose it for their own database
    except: /engine\/postgres\/pg-client\.ts$/,
  },
  { what: 'old TLS', pattern: /minVersion:\s*'TLSv1(\.1)?'|secureProtocol/ },
  { what: 'a shell', pattern: /shell:\s*true|\bexecSync\(|\bexec\(['"`]|child_process'\)?.*\bexec\b/ },
  { what: 'code made of text', pattern: /(?<!\.)\beval\(|new Function\(/ },
  { what: 'ciphers without authentication', pattern: /aes-\d+-(cbc|ecb|ctr)|createCipher\(|des-ede|\brc4\b/i },
  { what: 'a password in an address of ours', pattern: /[?&](access_token|token|password)=/ },
  { what: 'a prototype that a request reaches', pattern: /\[['"]__proto__['"]\]/ },
];

describe('the source', () => {
  it.each(GATES)('has no $what', ({ pattern, except }) => {
    const found = FILES.filter((name) => !except?.test(name) && pattern.test(readFileSync(join(root, name), 'utf8')));
    expect(found).toEqual([]);
  });

  it('was looked at as a whole', () => {
    expect(FILES.length).toBeGreaterThan(250);
  });

  it('depends on exact versions only, each with the checksum of what is installed', () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<
        string,
        { version?: string; integrity?: string; link?: boolean; resolved?: string; dependencies?: object }
      >;
    };
    const wrong: string[] = [];
    for (const [path, { integrity, link, resolved, dependencies = {} }] of Object.entries(lock.packages)) {
      const isOurs = !path.includes('node_modules');
      if (!isOurs && link !== true && integrity === undefined) wrong.push(`${path} has no checksum`);
      if (resolved?.startsWith('http:') === true || resolved?.startsWith('git') === true)
        wrong.push(`${path} is from ${resolved}`);
      if (isOurs)
        for (const [name, range] of Object.entries(dependencies))
          if (!/^\d+\.\d+\.\d+(-[\w.]+)?$|^\*$/.test(String(range))) wrong.push(`${path} wants ${name} ${String(range)}`);
    }
    expect(wrong).toEqual([]);
    expect(Object.keys(lock.packages).length).toBeGreaterThan(300);
  });
});
