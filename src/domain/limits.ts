// Limits of the domain that a user can meet. Limits that an operator sets are in config/.

/** Files in one workspace. */
export const maxFilesPerWorkspace = 100_000;
/** Files of one end user in a workspace. */
export const maxFilesPerUser = 10_000;
/** Files attached to one assistant or thread. */
export const maxAttachedFiles = 1000;
/** Characters of the name of a file in an upload. */
export const maxFileNameCharacters = 255;
/** Characters of the name of a file as it is stored; the rest is cut off. */
export const maxStoredFileNameCharacters = 200;

/** Passages of one file. A larger file is not searchable. */
export const maxPassagesPerFile = 50_000;
/** Distinct words of one file that misspelled words of a query are compared with. */
export const maxTermsPerFile = 50_000;
/** How often the ingestion of one file is started before it fails. */
export const maxIngestionAttempts = 5;

/** Distinct words of a query that a search looks for; the rest is ignored. */
export const maxQueryWords = 64;
/** Characters of a query that a search by words compares literally; the rest is ignored. */
export const maxLiteralQueryCharacters = 500;
/** Characters of a query that are embedded; the rest is ignored. */
export const maxEmbeddedQueryCharacters = 2000;
/**
 * Vectors that one search compares. With more of them the search goes by words alone, because the embedded database is
 * blocked while it compares.
 */
export const maxComparedVectors = 50_000;
