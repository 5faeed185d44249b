/** Held equal to package.json by a test: a bundled agent has no package.json beside it. */
export const AGENT_VERSION = '0.1.0';
