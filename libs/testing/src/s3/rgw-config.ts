/** The smallest Ceph that keeps objects durably enough for tests: one monitor, one OSD on a sparse file, one S3 gateway, all on 127.0.0.1. */
export interface RgwLayout {
  readonly folder: string;
  readonly clusterId: string;
  readonly monitorPort: number;
  readonly s3Port: number;
}

const BLOCK_SIZE_BYTES = 20 * 1024 ** 3;

const QUICK_START: readonly string[] = [
  'osd_pool_default_size = 1',
  'osd_pool_default_min_size = 1',
  'osd_pool_default_pg_num = 8',
  'osd_pool_default_pgp_num = 8',
  'osd_pool_default_pg_autoscale_mode = off',
  'mon_allow_pool_size_one = true',
  'mon_max_pg_per_osd = 1000',
  'osd_crush_chooseleaf_type = 0',
  'paxos_propose_interval = 0.05',
  'paxos_min_wait = 0.01',
  'osd_boot_wait_for_healthy = false',
];

const SMALL_OSD: readonly string[] = [
  'osd_objectstore = bluestore',
  `bluestore_block_size = ${BLOCK_SIZE_BYTES}`,
  'bluestore_block_create = true',
  'bluestore_block_db_create = false',
  'bluestore_block_wal_create = false',
  'osd_memory_target = 939524096',
  'osd_memory_target_autotune = false',
  'bluestore_cache_autotune = false',
  'bluestore_cache_size = 67108864',
  'osd_op_num_shards = 2',
  'osd_op_num_threads_per_shard = 1',
];

/**
 * ceph.conf. Sizes of 1, few placement groups and fast elections make a start of seconds; authentication stays on because the gateway refuses
 * to run without it. No manager daemon: health is never asked for.
 */
export function cephConfig({ folder, clusterId, monitorPort, s3Port }: RgwLayout): string {
  const lines: Readonly<Record<string, readonly string[]>> = {
    global: [
      `fsid = ${clusterId}`,
      `mon_host = [v2:127.0.0.1:${monitorPort}/0]`,
      'mon_initial_members = a',
      'public_addr = 127.0.0.1',
      'cluster_addr = 127.0.0.1',
      `keyring = ${folder}/keyring`,
      'auth_allow_insecure_global_id_reclaim = false',
      'ms_mon_cluster_mode = crc',
      `run_dir = ${folder}/run`,
      `admin_socket = ${folder}/run/$name.asok`,
      `pid_file = ${folder}/run/$name.pid`,
      `log_file = ${folder}/log/$name.log`,
      `mon_cluster_log_file = ${folder}/log/cluster.log`,
      ...QUICK_START,
    ],
    'mon.a': [`mon_data = ${folder}/mon`, 'mon_data_avail_crit = 1', 'mon_data_avail_warn = 2'],
    osd: [`osd_data = ${folder}/osd`, ...SMALL_OSD],
    'client.rgw': [
      `rgw_data = ${folder}/rgw`,
      `rgw_frontends = beast endpoint=127.0.0.1:${s3Port}`,
      'rgw_thread_pool_size = 32',
      'rgw_dns_name = localhost',
      'rgw_enable_usage_log = false',
      'rgw_enable_ops_log = false',
    ],
  };
  return Object.entries(lines)
    .map(([section, settings]) => `[${section}]\n${settings.join('\n')}\n`)
    .join('');
}
