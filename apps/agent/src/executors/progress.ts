import type { BackupProgressView } from '@rahatback/contracts';

const AT_MOST_EVERY_MS = 500;

/** Lets at most two a second through; what is dropped is replaced by the next one. A new step is always let through. */
export function throttledProgress(emit: (view: BackupProgressView) => void): (view: BackupProgressView) => void {
  let lastAt = Number.NEGATIVE_INFINITY;
  let lastStep: string | undefined;
  return (view) => {
    const now = performance.now();
    if (view.currentStep === lastStep && now - lastAt < AT_MOST_EVERY_MS) return;
    lastAt = now;
    lastStep = view.currentStep;
    emit(view);
  };
}
