export interface DemoOptions {
  /** End after the comparison, with exit code 0 or 1. */
  readonly check: boolean;
  /** Store in a real S3 server instead of the server's disk. */
  readonly s3: boolean;
  readonly targetMb: number;
}

/** @throws Error with the usage when an argument is unknown */
export function parseOptions(args: readonly string[]): DemoOptions {
  let options: DemoOptions = { check: false, s3: false, targetMb: 300 };
  for (const arg of args) {
    const size = /^--size-mb=(\d+)$/.exec(arg)?.[1];
    if (arg === '--check') options = { ...options, check: true };
    else if (arg === '--s3') options = { ...options, s3: true };
    else if (size) options = { ...options, targetMb: Number(size) };
    else throw new Error(`Unknown argument ${arg}. Usage: script/demo [--check] [--s3] [--size-mb=N]`);
  }
  return options;
}
