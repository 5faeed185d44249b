import type { FrameLocation } from '../index/index-format.js';
import { decodeFrame, freeFrame } from '../frames/frame-codec.js';
import { freeBuffer } from '../free-buffer.js';
import { volumeObject } from '../volumes/object-context.js';
import { atObject } from './at-object.js';
import { linkAt, type OpenBackup, type OpenLink } from './open-backup.js';
import type { VolumeReader } from './volume-reader.js';

/** Decoded frames that are kept: neighbours in a dump often stand in one old frame. More than whoever reads ahead still waits for. */
const KEPT_FRAMES = 12;
/** Volumes with an open request. */
const OPEN_VOLUMES = 8;

/** Fetches frames of a backup and of the links it points into. Call `plain` in the order of the index. */
export class FrameReader {
  private readonly frames = new Map<string, Promise<Buffer>>();
  private readonly volumes = new Map<string, VolumeReader>();

  /** @param lends gives the memory of frames back that are kept no more: nobody may hold a view of one */
  constructor(
    private readonly backup: OpenBackup,
    private readonly lends: boolean,
  ) {}

  /**
   * Reads the frame's stored bytes, then answers with its decoding under way (in libuv's threads), so that the caller can go on reading.
   * @throws AppError DATA_CORRUPT, DATA_TRUNCATED and those of the source
   */
  async plain(frame: FrameLocation): Promise<{ readonly decoded: Promise<Buffer> }> {
    const key = `${frame.backup}/${frame.volume}/${frame.offset}`;
    const kept = this.frames.get(key);
    if (kept) {
      touch(this.frames, key, kept);
      return { decoded: kept };
    }
    const link = linkAt(this.backup, frame.backup);
    const stored = await this.volumeOf(frame, link).read(frame.offset, frame.frameLength);
    const place = { backupId: link.manifest.backupId, object: volumeObject(frame.volume) };
    const decoded = decodeFrame(stored, link.manifest.compression, frame.plainLength).then(
      (plain) => {
        if (plain !== stored) freeBuffer(stored);
        return plain;
      },
      (error: unknown) => {
        throw atObject(error, place);
      },
    );
    // It is awaited later, and by nobody when an earlier frame fails.
    decoded.catch(() => undefined);
    touch(this.frames, key, decoded);
    evictOldest(this.frames, KEPT_FRAMES, (dropped) => this.free(dropped));
    return { decoded };
  }

  close(): void {
    for (const volume of this.volumes.values()) volume.close();
    this.volumes.clear();
    this.frames.clear();
  }

  private free(frame: Promise<Buffer>): void {
    if (this.lends) frame.then(freeFrame, () => undefined);
  }

  private volumeOf({ backup, volume }: FrameLocation, link: OpenLink): VolumeReader {
    const key = `${backup}/${volume}`;
    const reader = this.volumes.get(key) ?? link.reader(volume);
    touch(this.volumes, key, reader);
    evictOldest(this.volumes, OPEN_VOLUMES, (dropped) => dropped.close());
    return reader;
  }
}

function touch<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
}

function evictOldest<V>(map: Map<string, V>, most: number, onEvict?: (value: V) => void): void {
  for (const [key, value] of map) {
    if (map.size <= most) return;
    map.delete(key);
    onEvict?.(value);
  }
}
