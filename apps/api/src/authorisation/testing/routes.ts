import type { NestExpressApplication } from '@nestjs/platform-express';

interface Layer {
  readonly route?: {
    readonly path: string | readonly string[];
    readonly methods?: Readonly<Record<string, boolean>>;
    readonly stack: readonly { readonly method?: string }[];
  };
}

/** Middleware for every path and method: what it lets through ends at a route. */
const MIDDLEWARE = '{/*splat}';

/** Every route that the running application answers, as `GET /v1/agents/:id`: read from Express itself, so that none can be forgotten. */
export function routesOf(app: NestExpressApplication): string[] {
  const { router } = app.getHttpAdapter().getInstance() as unknown as { router: { stack: readonly Layer[] } };
  const found = router.stack.flatMap(({ route }) => {
    if (!route) return [];
    const methods = new Set(route.stack.map(({ method }) => (method ?? 'all').toUpperCase()));
    return [route.path]
      .flat()
      .filter((path) => path !== MIDDLEWARE)
      .flatMap((path) => [...methods].map((method) => `${method} ${path}`));
  });
  return [...new Set(found)].sort();
}

/** Sentences for routes or events without a row, and for rows without a route or event. */
export function uncovered(kind: string, real: readonly string[], keys: readonly string[]): string[] {
  const rows = [...new Set(keys.map((key) => key.replace(/#.*$/, '')))];
  return [
    ...real
      .filter((name) => !rows.includes(name))
      .map((name) => `The ${kind} "${name}" has no row in the authorisation table: say there who may.`),
    ...rows
      .filter((name) => !real.includes(name))
      .map((name) => `The authorisation table has a row for "${name}", which is no ${kind} any more: take it out.`),
  ];
}
