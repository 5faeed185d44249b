import type { SeededRandom } from '@rahatback/testing';
import type { BackupHarness } from '../backup-harness.suite.js';

/** Tables that stay, so that most of each dump is as it was; and small ones that come and go. */
const LASTING = { tables: 4, rows: 8_000 };
const PASSING_ROWS = 500;
const CHANGES_PER_STEP = 3;

/** What a database holds, part by part: a digest of each table that does not depend on the order of rows, its columns, indexes, sequences, large objects. */
export type DatabaseState = Readonly<Record<string, string>>;

interface Table {
  readonly name: string;
  readonly extraColumns: string[];
  readonly indexes: string[];
}

/** A database that changes at random, by its seed alone. */
export class ChangingDatabase {
  private readonly tables: Table[] = [];
  private readonly largeObjects: number[] = [];
  private next = 1;

  constructor(
    private readonly harness: BackupHarness,
    readonly name: string,
    private readonly random: SeededRandom,
  ) {}

  async fill(): Promise<void> {
    for (let count = 0; count < LASTING.tables; count += 1) await this.createTable(LASTING.rows);
    await this.createLargeObject();
  }

  /** Some changes; answers what they were. */
  async change(): Promise<string[]> {
    const done: string[] = [];
    for (let count = 0; count < CHANGES_PER_STEP; count += 1) {
      const [kind, change] = this.random.pick(Object.entries(this.changes));
      await change();
      done.push(kind);
    }
    return done;
  }

  private readonly changes: Readonly<Record<string, () => Promise<void>>> = {
    insert: () => this.insert(this.random.pick(this.tables), 1 + this.random.int(200)),
    update: () => this.onSomeRows((table, rows) => `UPDATE ${table} SET note = md5(note), amount = amount + 1 WHERE ${rows}`),
    delete: () => this.onSomeRows((table, rows) => `DELETE FROM ${table} WHERE ${rows}`),
    truncate: async () => {
      if (this.passing.length === 0) return this.createTable();
      await this.run(`TRUNCATE ${this.random.pick(this.passing).name}`);
    },
    createTable: () => this.createTable(),
    dropTable: async () => {
      if (this.passing.length === 0) return this.createTable();
      const [table] = this.tables.splice(LASTING.tables + this.random.int(this.passing.length), 1);
      await this.run(`DROP TABLE ${table?.name ?? ''}`);
    },
    addColumn: async () => {
      // A new column changes every row of its table.
      const table = this.random.pick(this.passing.length > 0 ? this.passing : this.tables);
      const column = `extra_${this.next++}`;
      table.extraColumns.push(column);
      await this.run(`ALTER TABLE ${table.name} ADD COLUMN ${column} text DEFAULT 'new'`);
    },
    dropColumn: async () => {
      const table = this.random.pick(this.tables);
      const column = table.extraColumns.pop();
      if (column !== undefined) await this.run(`ALTER TABLE ${table.name} DROP COLUMN ${column}`);
    },
    createIndex: async () => {
      const table = this.random.pick(this.tables);
      const index = `index_${this.next++}`;
      table.indexes.push(index);
      await this.run(`CREATE INDEX ${index} ON ${table.name} (amount)`);
    },
    dropIndex: async () => {
      const index = this.random.pick(this.tables).indexes.pop();
      if (index !== undefined) await this.run(`DROP INDEX ${index}`);
    },
    createLargeObject: () => this.createLargeObject(),
    changeLargeObject: async () => {
      if (this.largeObjects.length === 0) return this.createLargeObject();
      await this.run(`SELECT lo_put(${this.random.pick(this.largeObjects)}, ${this.random.int(9_000)}, 'changed')`);
    },
    dropLargeObject: async () => {
      const [oid] = this.largeObjects.splice(this.random.int(this.largeObjects.length), 1);
      if (oid !== undefined) await this.run(`SELECT lo_unlink(${oid})`);
    },
  };

  private async run(sql: string): Promise<void> {
    await this.harness.query(this.name, sql);
  }

  private get passing(): readonly Table[] {
    return this.tables.slice(LASTING.tables);
  }

  private async createTable(rows = PASSING_ROWS): Promise<void> {
    const table: Table = { name: `table_${this.next++}`, extraColumns: [], indexes: [] };
    this.tables.push(table);
    await this.run(`CREATE TABLE ${table.name} (id serial PRIMARY KEY, note text, amount numeric NOT NULL)`);
    await this.insert(table, rows);
  }

  private insert({ name }: Table, rows: number): Promise<void> {
    const salt = this.random.int(1_000_000);
    return this.run(
      `INSERT INTO ${name} (note, amount) SELECT md5(i || '/${salt}') || md5('${salt}' || i), i * 0.25 FROM generate_series(1, ${rows}) i`,
    );
  }

  private onSomeRows(statement: (table: string, rows: string) => string): Promise<void> {
    const { name } = this.random.pick(this.tables);
    const first = this.random.int(LASTING.rows);
    return this.run(statement(name, `id BETWEEN ${first} AND ${first + this.random.int(100)}`));
  }

  private async createLargeObject(): Promise<void> {
    const oid = 900_000 + this.next++;
    this.largeObjects.push(oid);
    const repeat = 50 + this.random.int(300);
    await this.run(`SELECT lo_from_bytea(${oid}, decode(repeat(md5('${this.random.int(1e9)}'), ${repeat}), 'hex'))`);
  }
}

const COLUMNS = `SELECT c.relname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull, ', ' ORDER BY a.attnum)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE n.nspname = 'public' AND c.relkind = 'r' GROUP BY 1 ORDER BY 1`;
const INDEXES = `SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'`;
const SEQUENCES = `SELECT 'sequence ' || sequencename, coalesce(last_value::text, 'unused') FROM pg_sequences WHERE schemaname = 'public'`;
const LARGE_OBJECTS = `SELECT 'large object ' || oid, md5(lo_get(oid)) FROM pg_largeobject_metadata`;

/** Read with statements of its own: nothing of the product's digests is used. */
export async function stateOf(harness: BackupHarness, database: string): Promise<DatabaseState> {
  const columns = (await harness.query(database, COLUMNS)) as [string, string][];
  // Sums of hashes: the order of rows does not matter, a row twice does.
  const digests = columns.map(
    ([table]) =>
      `SELECT 'rows of ${table}', count(*) || ' ' || coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint::numeric), 0) FROM ${table} t`,
  );
  const parts = [...digests, INDEXES, SEQUENCES, LARGE_OBJECTS].join(' UNION ALL ');
  const rows = (await harness.query(database, parts)) as [string, string][];
  return Object.fromEntries([...columns, ...rows].sort(([left], [right]) => (left < right ? -1 : 1)));
}
