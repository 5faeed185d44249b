import { plaintextSize } from '@rahatback/crypto';
import type { BackupSink } from '@rahatback/storage/agent';
import { EncryptedObject, type ObjectRecord } from './encrypted-object.js';
import { objectAssociatedData, volumeObject, type BackupContext } from './object-context.js';

/** 64 GiB stored: 8,192 parts of 8 MiB. */
export const VOLUME_MAX_STORED_BYTES = 64 * 1024 ** 3;
/** What fits into that after header and tags. */
export const VOLUME_MAX_PLAIN_BYTES = plaintextSize(VOLUME_MAX_STORED_BYTES);

export interface FramePlace {
  readonly volume: number;
  /** In the volume's plaintext. */
  readonly offset: number;
}

/** Appends frames to volumes, one after the other; a frame never crosses into the next volume. */
export class VolumeWriter {
  private readonly records: ObjectRecord[] = [];
  private current: EncryptedObject | null = null;
  private finishedBytes = 0;

  constructor(
    private readonly sink: BackupSink,
    private readonly key: Uint8Array,
    private readonly context: BackupContext,
    private readonly maxPlainBytes = VOLUME_MAX_PLAIN_BYTES,
  ) {}

  /** Stored bytes so far, of all volumes. */
  get storedBytes(): number {
    return this.finishedBytes + (this.current?.storedBytes ?? 0);
  }

  async append(frame: Buffer): Promise<FramePlace> {
    if (this.current && this.current.plainBytes + frame.length > this.maxPlainBytes) await this.finishVolume();
    this.current ??= await this.begin();
    const place = { volume: this.records.length + 1, offset: this.current.plainBytes };
    await this.current.write(frame);
    return place;
  }

  /** Every volume, confirmed by the store. None when there was nothing new. */
  async complete(): Promise<readonly ObjectRecord[]> {
    await this.finishVolume();
    return this.records;
  }

  private async begin(): Promise<EncryptedObject> {
    const volume = this.records.length + 1;
    const name = volumeObject(volume);
    const associatedData = objectAssociatedData(this.context, name, volume);
    return new EncryptedObject(name, await this.sink.beginObject(name), this.key, associatedData);
  }

  private async finishVolume(): Promise<void> {
    if (!this.current) return;
    const record = await this.current.complete();
    this.finishedBytes += record.storedBytes;
    this.records.push(record);
    this.current = null;
  }
}
