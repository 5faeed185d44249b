let armed: { readonly name: string; remaining: number } | undefined;

/** Arms `<name>:<nth>`; undefined disarms. Called once at start from the settings. */
export function armCrashPoint(spec: string | undefined): void {
  const [name, nth] = spec?.split(':') ?? [];
  armed = name ? { name, remaining: Number(nth ?? 1) } : undefined;
}

/**
 * Marks a place where a process may die, named `<who>.<what>.<when>`. Does nothing unless this very point is armed; at its nth passing the
 * process gets SIGKILL, so that nothing is cleaned up.
 */
export function crashPoint(name: string): void {
  if (armed?.name !== name) return;
  armed.remaining -= 1;
  if (armed.remaining <= 0) process.kill(process.pid, 'SIGKILL');
}
