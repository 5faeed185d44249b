const MASKED = 0x80;
const LENGTH = 0x7f;
const MASK_BYTES = 4;

interface Head {
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly mask: Buffer | null;
}

/** The head of the frame at the start of the bytes (RFC 6455, 5.2); null while it is not all there. */
function headOf(bytes: Buffer): Head | null {
  if (bytes.length < 2) return null;
  const second = bytes[1] ?? 0;
  const short = second & LENGTH;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const maskStart = 2 + extended;
  const payloadStart = maskStart + ((second & MASKED) === 0 ? 0 : MASK_BYTES);
  if (bytes.length < payloadStart) return null;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const mask = payloadStart === maskStart ? null : bytes.subarray(maskStart, payloadStart);
  return { payloadStart, payloadEnd: payloadStart + length, mask };
}

/** Cuts one direction of a WebSocket connection into frames and takes their masks off, so that the text inside can be searched. */
export class FrameParser {
  private rest: Buffer = Buffer.alloc(0);

  /** @returns the payloads that are whole by now */
  push(bytes: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const payloads: Buffer[] = [];
    for (let head = headOf(this.rest); head !== null && head.payloadEnd <= this.rest.length; head = headOf(this.rest)) {
      const { payloadStart, payloadEnd, mask } = head;
      const payload = Buffer.from(this.rest.subarray(payloadStart, payloadEnd));
      if (mask) payload.forEach((byte, index) => (payload[index] = byte ^ (mask[index % MASK_BYTES] ?? 0)));
      payloads.push(payload);
      this.rest = this.rest.subarray(payloadEnd);
    }
    return payloads;
  }
}
