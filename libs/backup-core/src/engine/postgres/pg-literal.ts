/** A string constant that means the same whatever standard_conforming_strings says. */
export const literal = (value: string): string => {
  const quoted = `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
  return value.includes('\\') ? ` E${quoted}` : quoted;
};
