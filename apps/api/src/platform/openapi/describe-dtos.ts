import { ApiProperty } from '@nestjs/swagger';
import { getMetadataStorage } from 'class-validator';
import { targetConstructorToSchema } from 'class-validator-jsonschema';

interface Target {
  new (...args: never[]): object;
  readonly prototype: object;
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, object>>;
  readonly required?: readonly string[];
}

/** Every class that class-validator knows. */
function dtoClasses(): Target[] {
  const storage = getMetadataStorage() as unknown as { validationMetadatas: Map<unknown, unknown> };
  return [...storage.validationMetadatas.keys()].filter((target): target is Target => typeof target === 'function');
}

/**
 * Tells the OpenAPI generator what the validators already say, so that a DTO is described once. libs/contracts stays free of decorators of
 * Nest. May run any number of times.
 */
export function describeDtos(): void {
  for (const target of dtoClasses()) {
    const schema = targetConstructorToSchema(target, { refPointerPrefix: '#/components/schemas/' }) as JsonSchema;
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const options = { ...property, required: schema.required?.includes(name) ?? false };
      ApiProperty(options)(target.prototype, name);
    }
  }
}
