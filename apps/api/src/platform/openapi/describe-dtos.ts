import { ApiProperty } from '@nestjs/swagger';
import { plainToInstance, type ClassConstructor } from 'class-transformer';
import { getMetadataStorage } from 'class-validator';
import { targetConstructorToSchema } from 'class-validator-jsonschema';

interface Target {
  new (...args: never[]): object;
  readonly prototype: object;
}

interface PropertySchema {
  readonly $ref?: string;
  readonly items?: { readonly $ref?: string };
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, PropertySchema>>;
  readonly required?: readonly string[];
}

/** Every class that class-validator knows. */
function dtoClasses(): Target[] {
  const storage = getMetadataStorage() as unknown as { validationMetadatas: Map<unknown, unknown> };
  return [...storage.validationMetadatas.keys()].filter((target): target is Target => typeof target === 'function');
}

/** The class that `@Type` names for a property: what class-transformer itself makes of an object there. */
function nestedClass(target: Target, name: string): Target {
  const made = plainToInstance(target as ClassConstructor<object>, { [name]: [{}] }) as Readonly<Record<string, unknown>>;
  const [nested] = made[name] as readonly object[];
  if (nested === undefined || nested.constructor === Object) {
    throw new Error(`${target.name}.${name} holds an object of an unknown class. Name it with @Type.`);
  }
  return nested.constructor as Target;
}

/** The schema of a nested DTO is left to the generator, which then writes down that class too; the validators know only "an object". */
function optionsOf(target: Target, name: string, property: PropertySchema): object {
  const { $ref, items, ...rest } = property;
  if ($ref !== undefined) return { ...rest, type: () => nestedClass(target, name) };
  if (items?.$ref !== undefined) return { ...rest, type: () => nestedClass(target, name), isArray: true };
  return property;
}

/**
 * Tells the OpenAPI generator what the validators already say, so that a DTO is described once. libs/contracts stays free of decorators of
 * Nest. May run any number of times.
 */
export function describeDtos(): void {
  for (const target of dtoClasses()) {
    const schema = targetConstructorToSchema(target, { refPointerPrefix: '#/components/schemas/' }) as JsonSchema;
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const options = { ...optionsOf(target, name, property), required: schema.required?.includes(name) ?? false };
      ApiProperty(options)(target.prototype, name);
    }
  }
}
