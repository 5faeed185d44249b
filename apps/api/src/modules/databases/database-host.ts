import { AppError } from '@rahatback/contracts';
import { isLinkLocal } from '../../platform/http/link-local.js';

/**
 * The agent connects there, so private and local hosts are what is expected; a URL or a metadata address never is a database.
 * @throws AppError HOST_FORBIDDEN
 */
export function assertDatabaseHost(host: string): void {
  if (host.includes('://')) {
    throw new AppError(
      'HOST_FORBIDDEN',
      'The host is a URL. Give only the name or address of the database server, such as localhost.',
    );
  }
  if (isLinkLocal(host.replace(/^\[|\]$/g, '').replace(/%.*$/, ''))) {
    throw new AppError(
      'HOST_FORBIDDEN',
      'The host is a link-local or metadata address, where no database is. Give the address of the server.',
    );
  }
}
