import type { ValidationError } from '@nestjs/common';
import { ValidationPipe } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';

/** `{ 'port': ['port must not be greater than 65535'] }`; nested fields are joined with dots. */
function fieldMessages(errors: readonly ValidationError[], prefix = ''): Record<string, string[]> {
  const fields: Record<string, string[]> = {};
  for (const error of errors) {
    const path = `${prefix}${error.property}`;
    if (error.constraints) fields[path] = Object.values(error.constraints);
    Object.assign(fields, fieldMessages(error.children ?? [], `${path}.`));
  }
  return fields;
}

/** Checks bodies and queries against the DTO classes of libs/contracts; a field that no DTO names is refused. */
export const createValidationPipe = (): ValidationPipe =>
  new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    transform: true,
    stopAtFirstError: false,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => {
      const fields = fieldMessages(errors);
      return new AppError('VALIDATION', `Correct these fields and send again: ${Object.keys(fields).join(', ') || 'the body'}.`, {
        fields,
      });
    },
  });
