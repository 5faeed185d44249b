// Exits 0 when node_modules holds all that package-lock.json says, in its versions, else 1. Runs on the system's own Node (18 or newer).
import { readFileSync } from 'node:fs';

const packagesOf = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return {};
  }
};

const wanted = Object.entries(packagesOf('package-lock.json')).filter(([path]) => path.includes('node_modules/'));
const found = packagesOf('node_modules/.package-lock.json');
// Optional packages are left out where the platform is another.
const isRight = ([path, { version, link, optional }]) =>
  found[path] ? link || found[path].version === version : optional === true;
process.exitCode = wanted.length > 0 && wanted.every(isRight) ? 0 : 1;
