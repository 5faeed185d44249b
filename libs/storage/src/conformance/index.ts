/** What every storage driver must pass, and what tests need to drive one without a server. Uses Jest's globals: only tests import this. */
import type { StorageBackend } from '../server/storage-backend.js';
import { describeObjects } from './objects-conformance.js';
import { describeUploads } from './uploads-conformance.js';

export * from './backend-control.js';
export * from './local-url-server.js';
export * from './signed-http.js';
export * from './upload-steps.js';
export { FORBIDDEN_KEYS } from './objects-conformance.js';

export interface OpenedStorage {
  readonly backend: StorageBackend;
  close(): Promise<void>;
}

/** The contract of StorageBackend as tests. `open` gives an empty storage, once. */
export function describeStorage(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`${name}: the storage contract`, () => {
    let opened: OpenedStorage | undefined;
    const get = (): StorageBackend => {
      if (!opened) throw new Error('the storage did not open');
      return opened.backend;
    };
    beforeAll(async () => {
      opened = await open();
      // Makes the storage's folder, as the test of a new storage does.
      await opened.backend.probe();
    }, 120_000);
    afterAll(() => opened?.close());
    describe('objects', () => describeObjects(get));
    describe('uploads', () => describeUploads(get));
  });
}
