import type { Services } from '../domain/context.ts';
import { embedWaitingFiles, forgetOtherModels } from '../domain/search/embedding.ts';
import { IngestLanes, ingestWaitingFiles } from '../domain/search/ingest.ts';
import type { Chores } from './chores.ts';

/** How many files a process reads at the same time: enough that a user leaves one to others, and a workspace too. */
const laneCount = 4;

/** Makes uploaded files searchable: reads them in a few lanes, and embeds their passages. */
export class IngestWorker {
  readonly #services: Services;
  readonly #chores: Chores;
  readonly #shutdown: AbortSignal;

  constructor(services: Services, chores: Chores, shutdown: AbortSignal) {
    this.#services = services;
    this.#chores = chores;
    this.#shutdown = shutdown;
  }

  async start(): Promise<void> {
    const { queue, timing } = this.#services;
    const lanes = new IngestLanes(laneCount);
    const ingest = () => ingestWaitingFiles(this.#services, lanes, this.#shutdown);
    const requests = Array.from({ length: laneCount }, () =>
      this.#chores.every(timing.run.sweepMs, 'file ingestion', ingest),
    );
    // A job is done as soon as one lane has looked for files after the job arrived.
    await queue.workIngestion(() => Promise.race(requests.map((request) => request())));
    await this.#startEmbedding();
  }

  async #startEmbedding(): Promise<void> {
    const { timing } = this.#services;
    const forget = () => forgetOtherModels(this.#services);
    await forget();
    // During a rolling restart another instance may still embed with its own model.
    this.#chores.after(timing.chore.retentionMs, 'deletion of other embeddings', forget);
    const embed = () => embedWaitingFiles(this.#services, this.#shutdown);
    void this.#chores.every(timing.run.sweepMs, 'file embedding', embed)();
  }
}
