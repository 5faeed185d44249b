import { Presets, SingleBar } from 'cli-progress';
import type { BackupProgressView } from '@rahatback/contracts';
import { note, type CliContext } from './cli-context.js';

export interface ProgressDisplay {
  update(view: BackupProgressView): void;
  stop(): void;
}

const MEBIBYTE = 1024 * 1024;
const mebibytes = (bytes: number): string => `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
const LINE_EVERY_MS = 5_000;

function bar(context: CliContext): ProgressDisplay {
  const shown = new SingleBar(
    {
      format: '  {step} [{bar}] {percentage}% {read} {rate}/s',
      stream: context.stderr,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  shown.start(100, 0, { step: '', read: '', rate: '' });
  return {
    update: ({ progress, currentStep, bytesRead, bytesPerSecond }) =>
      shown.update(progress, { step: currentStep.padEnd(8), read: mebibytes(bytesRead), rate: mebibytes(bytesPerSecond) }),
    stop: () => shown.stop(),
  };
}

function lines(context: CliContext): ProgressDisplay {
  let lastStep: string | undefined;
  let lastAt = 0;
  return {
    update: ({ progress, currentStep, bytesRead, bytesPerSecond }) => {
      const now = performance.now();
      if (currentStep === lastStep && now - lastAt < LINE_EVERY_MS) return;
      [lastStep, lastAt] = [currentStep, now];
      note(context, `  ${currentStep}: ${progress}% ${mebibytes(bytesRead)}, ${mebibytes(bytesPerSecond)}/s`);
    },
    stop: () => undefined,
  };
}

const jsonLines = (context: CliContext): ProgressDisplay => ({
  update: (view) => note(context, JSON.stringify({ progress: view })),
  stop: () => undefined,
});

/** A bar on a terminal, plain lines elsewhere, JSON lines when asked; always on standard error. */
export function progressDisplay(context: CliContext, asJson: boolean): ProgressDisplay {
  if (asJson) return jsonLines(context);
  return context.stderr.isTTY === true ? bar(context) : lines(context);
}
