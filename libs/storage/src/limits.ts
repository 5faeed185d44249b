/** Every part but an object's last has exactly this size; S3 needs at least 5 MiB, and a part must fit in the agent's memory a few times over. */
export const STORAGE_PART_SIZE_BYTES = 8 * 1024 * 1024;

/** Below S3's 10,000, so that a volume of 64 GiB is never refused by the store. */
export const MAX_PARTS_PER_VOLUME = 8192;

/** 64 GiB: the largest object that we write. */
export const MAX_VOLUME_BYTES = STORAGE_PART_SIZE_BYTES * MAX_PARTS_PER_VOLUME;

/** A signed URL lives one hour at most. */
export const MAX_SIGNED_URL_SECONDS = 3600;
