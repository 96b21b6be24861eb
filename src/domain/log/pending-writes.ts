import { Prisma } from '../../db/generated/client.ts';

/** The tables whose rows a change of a thread can write with its last statement. */
type Table = 'Message' | 'Step' | 'ToolCall' | 'Run';
type Columns = Record<string, unknown>;

const column = (name: string) => Prisma.raw(`"${name}"`);

/**
 * Rows that a change of a thread inserts and updates with its last statement, because round trips to the database
 * dominate the duration of a change. Statements before it do not see pending rows: call `ThreadChange.flush` first.
 */
export class PendingWrites {
  readonly #workspaceId: string;
  readonly #inserts = new Map<Table, Map<string, Columns>>();
  readonly #updates = new Map<Table, Map<string, Columns>>();
  #endedRuns: string[] = [];

  constructor(workspaceId: string) {
    this.#workspaceId = workspaceId;
  }

  get isEmpty(): boolean {
    return this.#inserts.size === 0 && this.#updates.size === 0 && this.#endedRuns.length === 0;
  }

  /** Inserts a whole row; columns that are left out are null. Rows of one table must have the same columns. */
  insert(table: Table, row: Columns & { id: string }): void {
    const rows = this.#inserts.get(table) ?? new Map<string, Columns>();
    this.#inserts.set(table, rows.set(row.id, { ...row }));
  }

  /** Updates columns of a row, which may be pending itself. */
  update(table: Table, id: string, columns: Columns): void {
    const inserted = this.#inserts.get(table)?.get(id);
    if (inserted) return void Object.assign(inserted, columns);
    const rows = this.#updates.get(table) ?? new Map<string, Columns>();
    this.#updates.set(table, rows.set(id, { ...rows.get(id), ...columns }));
  }

  /** Deletes the deltas of a run whose texts are stored in their rows. */
  deleteDeltas(runId: string): void {
    this.#endedRuns.push(runId);
  }

  /** Removes and returns the pending writes, as statements for a WITH. */
  drain(): Prisma.Sql[] {
    const statements = [
      ...[...this.#inserts].map(([table, rows]) => this.#insertOf(table, [...rows.values()])),
      ...[...this.#updates].flatMap(([table, rows]) => this.#updatesOf(table, rows)),
    ];
    if (this.#endedRuns.length > 0) {
      statements.push(
        Prisma.sql`DELETE FROM "TextDelta" WHERE "workspaceId" = ${this.#workspaceId} AND "runId" = ANY(${this.#endedRuns}::text[])`,
      );
    }
    this.#inserts.clear();
    this.#updates.clear();
    this.#endedRuns = [];
    return statements;
  }

  #insertOf(table: Table, rows: Columns[]): Prisma.Sql {
    const names = Prisma.join(Object.keys(rows[0] as Columns).map(column));
    return Prisma.sql`INSERT INTO ${column(table)} (${names})
      SELECT ${names} FROM jsonb_populate_recordset(NULL::${column(table)}, ${JSON.stringify(rows)}::jsonb)`;
  }

  /** One statement for all rows that change the same columns: a step can have many calls. */
  #updatesOf(table: Table, rows: Map<string, Columns>): Prisma.Sql[] {
    const changed = [...rows].map(([id, columns]) => ({ id, columns }));
    const groups = Map.groupBy(changed, ({ columns }) => Object.keys(columns).sort().join());
    return [...groups.values()].map((group) => {
      const names = Object.keys(group[0]?.columns ?? {});
      const set = Prisma.join(names.map((name) => Prisma.sql`${column(name)} = r.${column(name)}`));
      const json = JSON.stringify(group.map(({ id, columns }) => ({ ...columns, id })));
      return Prisma.sql`UPDATE ${column(table)} t SET ${set}
        FROM jsonb_populate_recordset(NULL::${column(table)}, ${json}::jsonb) r
        WHERE t."workspaceId" = ${this.#workspaceId} AND t."id" = r."id"`;
    });
  }
}
