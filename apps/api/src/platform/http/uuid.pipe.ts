import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export class UuidPipe implements PipeTransform<string, string> {
  transform(value: string, metadata: ArgumentMetadata): string {
    if (typeof value === 'string' && UUID.test(value)) return value.toLowerCase();
    const field = metadata.data ?? 'id';
    throw new AppError('VALIDATION', `${field} must be an id such as 019a3c1e-8c8b-7c6e-9d3e-0123456789ab.`, {
      fields: { [field]: [`${field} must be a UUID`] },
    });
  }
}
