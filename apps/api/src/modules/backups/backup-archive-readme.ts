import type { BackupType, Compression } from '@rahatback/contracts';

export interface ArchivedObject {
  /** Below the archive's own folder. */
  readonly path: string;
  readonly sizeBytes: number;
  /** hex */
  readonly sha256: string;
}

export interface ArchivedBackup {
  readonly backupId: string;
  readonly backupType: BackupType;
  readonly compression: Compression;
  readonly completedAt: string;
  /** Below the archive's own folder. */
  readonly folder: string;
  readonly objects: readonly ArchivedObject[];
}

const unpack: Readonly<Record<Compression, string>> = { zstd: 'zstd -d', gzip: 'gunzip', none: 'cat' };

const commands = ({ folder, backupType, compression }: ArchivedBackup): string[] => [
  `  node -p 'JSON.parse(require("fs").readFileSync("${folder}/keys-1.json")).slots.find((slot) => slot.type === "age").data' \\`,
  '    | base64 -d | age -d -i recovery.txt > keyset.json',
  ...(backupType === 'full'
    ? [`  node recover.mjs ${folder} keyset.json | ${unpack[compression]} > dump.sql`]
    : [
        `  node recover.mjs ${folder} keyset.json index | zstd -d > index.jsonl`,
        '  mkdir plain',
        `  for file in ${folder.split('/').slice(0, -2).join('/')}/*/*/data-*; do`,
        '    id=$(basename "$(dirname "$(dirname "$file")")")',
        '    node recover.mjs "$(dirname "$file")" keyset.json "$(basename "$file")" > "plain/$id.$(basename "$file")"',
        '  done',
        `  node assemble.mjs plain index.jsonl ${compression} > dump.sql`,
      ]),
  '  createdb --template=template0 --encoding=UTF8 restored',
  '  psql --no-psqlrc --set=ON_ERROR_STOP=1 --dbname=restored --file=dump.sql --quiet --output=/dev/null',
];

const missingLinks = (wanted: ArchivedBackup, isWhole: boolean): string[] =>
  isWhole
    ? []
    : [
        `EN  This is an ${wanted.backupType} backup WITHOUT those that it is built on. Download it again with its chain to restore it.`,
        `TR  Bu, dayandığı yedekler OLMADAN indirilmiş bir ${wanted.backupType} yedektir. Geri yüklemek için zinciriyle birlikte yeniden indirin.`,
        '',
      ];

/**
 * What a download says about itself, in English and Turkish. The same backup gives the same text at every time.
 * @param wanted the backup that was asked for; `links` those that it points into, oldest first
 */
export function archiveReadme(wanted: ArchivedBackup, links: readonly ArchivedBackup[]): string {
  const isWhole = wanted.backupType === 'full' || links.length > 0;
  return [
    'RAHATBACK BACKUP / YEDEK',
    '========================',
    `${wanted.backupId}  ${wanted.backupType}  ${wanted.completedAt}`,
    '',
    ...missingLinks(wanted, isWhole),
    'EN  These are the stored, encrypted objects as they lie in the storage. To open them you need the printed recovery kit',
    '    of the workspace, or the passphrase, or the agent that made them.',
    'TR  Bunlar, depodaki hâliyle şifreli nesnelerdir. Açmak için çalışma alanının yazdırılmış kurtarma kitine, ya da parolaya,',
    '    ya da yedeği alan ajana ihtiyacınız vardır.',
    '',
    'EN  With RahatBack, in this folder:   TR  RahatBack ile, bu klasörde:',
    '',
    `  rahatback-agent restore --from . --backup ${wanted.backupId} --identity <kit.txt> --database <new database> \\`,
    '    --host 127.0.0.1 --port 5432 --user postgres',
    '',
    'EN  Without RahatBack you need age, Node.js 22 or newer, psql, and zstd or gunzip. Write the recovery key of the kit into',
    '    recovery.txt as one line without spaces (AGE-SECRET-KEY-1...), then, in this folder:',
    'TR  RahatBack olmadan age, Node.js 22 veya üstü, psql ve zstd ya da gunzip gerekir. Kitteki kurtarma anahtarını boşluksuz',
    '    tek satır olarak recovery.txt dosyasına yazın (AGE-SECRET-KEY-1...), sonra bu klasörde:',
    '',
    ...commands(wanted),
    '',
    'EN  Of several keys-<n>.json take the highest. Roles that the dump names must exist. A dump is code: run it as a user who may',
    '    not do more than it needs. Delete keyset.json when you are done: it is the key in the clear.',
    'TR  Birden çok keys-<n>.json varsa en yükseğini kullanın. Dökümün adlandırdığı roller bulunmalıdır. Döküm koddur: gereğinden',
    '    fazla yetkisi olmayan bir kullanıcıyla çalıştırın. İşiniz bitince keyset.json dosyasını silin: açık hâldeki anahtardır.',
    '',
    'SHA-256  (sha256sum -c)',
    '',
    ...[...links, wanted].flatMap(({ objects }) => objects.map(({ path, sha256 }) => `${sha256}  ${path}`)),
    '',
  ].join('\n');
}
