import { runDemo } from './demo.js';
import { parseOptions } from './options.js';

process.exitCode = await runDemo(parseOptions(process.argv.slice(2)));
