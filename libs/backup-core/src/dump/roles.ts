const IDENTIFIER = String.raw`(?:"(?:[^"]|"")+"|[^\s",.;]+)`;
const OWNER = new RegExp(String.raw`\bOWNER TO (${IDENTIFIER})\s*;$`);
const GRANT = new RegExp(String.raw`^GRANT .* TO (${IDENTIFIER})(?: WITH GRANT OPTION)?(?: GRANTED BY ${IDENTIFIER})?\s*;$`, 's');
const REVOKE = new RegExp(String.raw`^REVOKE .* FROM (${IDENTIFIER})(?: GRANTED BY ${IDENTIFIER})?\s*;$`, 's');
const DEFAULT_OF = new RegExp(String.raw`^ALTER DEFAULT PRIVILEGES FOR ROLE (${IDENTIFIER}) `);
const DEFAULT_TO = new RegExp(
  String.raw`^ALTER DEFAULT PRIVILEGES .* (?:TO|FROM) (${IDENTIFIER})(?: WITH GRANT OPTION)?\s*;$`,
  's',
);
const SESSION = new RegExp(String.raw`^SET SESSION AUTHORIZATION (${IDENTIFIER})\s*;$`);
const POLICY_TO = new RegExp(
  String.raw`^CREATE POLICY ${IDENTIFIER} ON ${IDENTIFIER}\.${IDENTIFIER}(?: AS [A-Z]+)?(?: FOR [A-Z]+)? TO (${IDENTIFIER}(?:, ${IDENTIFIER})*)`,
);

const unquote = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);
const isRole = (name: string): boolean => name !== 'PUBLIC' && name !== 'DEFAULT' && !name.startsWith('pg_');

/** Roles that a statement of a dump needs to exist, unquoted. Built-in roles (`pg_…`) and PUBLIC are left out. */
export function rolesOf(sql: string): string[] {
  const found: string[] = [];
  if (sql.startsWith('ALTER ')) found.push(...captures(sql, OWNER, DEFAULT_OF, DEFAULT_TO));
  else if (sql.startsWith('GRANT ')) found.push(...captures(sql, GRANT));
  else if (sql.startsWith('REVOKE ')) found.push(...captures(sql, REVOKE));
  else if (sql.startsWith('SET SESSION ')) found.push(...captures(sql, SESSION));
  else if (sql.startsWith('CREATE POLICY ')) found.push(...policyRoles(sql));
  return found.filter((name) => name.startsWith('"') || isRole(name)).map(unquote);
}

const captures = (sql: string, ...patterns: RegExp[]): string[] =>
  patterns.flatMap((pattern) => {
    const role = pattern.exec(sql)?.[1];
    return role === undefined ? [] : [role];
  });

function policyRoles(sql: string): string[] {
  const list = POLICY_TO.exec(sql)?.[1] ?? '';
  return [...list.matchAll(new RegExp(IDENTIFIER, 'g'))].map(([name]) => name);
}
