/** `transfer` came with ES2024, which the compiler's library does not know yet. */
type Transferable = ArrayBuffer & { transfer(newByteLength: number): ArrayBuffer };

/**
 * Gives a large buffer's memory back at once instead of at the next collection: a dump passes through thousands of them, and waiting for the collector
 * costs both memory and full collections. It is empty afterwards. A view of a larger memory stays as it is: others may use the rest.
 */
export function freeBuffer({ buffer, byteLength }: Buffer): void {
  if (byteLength > 0 && byteLength === buffer.byteLength) freeMemory(buffer);
}

/** The same with everything that is a view of this memory. */
export function freeMemory(memory: ArrayBufferLike): void {
  if (!(memory instanceof ArrayBuffer)) return;
  try {
    (memory as Transferable).transfer(0);
  } catch {
    // Node's pool, which small buffers are cut from, cannot be freed.
  }
}
