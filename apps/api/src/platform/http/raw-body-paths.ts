/** Bodies below these paths are streams for their controller: no JSON, no size limit here. */
const RAW_BODY_PREFIXES = ['/v1/parts/'] as const;

export const isRawBodyPath = (path: string): boolean => RAW_BODY_PREFIXES.some((prefix) => path.startsWith(prefix));
