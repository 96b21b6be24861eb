import { isUnavailable } from '../../db/unavailable.ts';
import type { DomainContext } from '../context.ts';

/**
 * Whether a transaction was committed whose connection was lost during the commit. Waits until the database answers and has
 * ended the transaction. `xid`: its id, from `pg_current_xact_id()`.
 */
export async function hasCommitted({ database, availability }: DomainContext, xid: string): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    await availability.untilBack(tries);
    try {
      const [row] = await database.$queryRaw<Array<{ status: string | null }>>`
        SELECT pg_xact_status(${xid}::text::xid8) AS "status"`;
      // The server may not have noticed the loss of the connection yet.
      if (row?.status !== 'in progress') return row?.status === 'committed';
    } catch (error) {
      // Another server that took over has not seen the transaction, and refuses its id.
      if (!isUnavailable(error)) return false;
    }
  }
}
