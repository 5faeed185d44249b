import type { FaultCase } from '../fault-case.js';
import { specCase } from '../spec-case.js';

const SINK = 'libs/storage/src/agent/signed-url-sink.int-spec.ts';

/** The limits are lowered in these tests: the real ones (8,192 parts of 8 MiB) would need 64 GiB. */
export const partFaults: readonly FaultCase[] = [
  specCase({
    row: 32,
    title: 'a volume would need more parts than there may be (limit lowered)',
    file: SINK,
    name: 'says that a volume is full before its bytes are lost',
  }),
];
