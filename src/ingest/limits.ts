// The limits of reading one file for the search. A user meets each of them as the error of a file's ingestion.

/** Characters of text in one file. */
export const maxCharactersPerFile = 20_000_000;
/** Pages of a PDF. */
export const maxPdfPages = 10_000;
/** Parts of a Word document: the entries of its zip file. */
export const maxDocxParts = 5000;
/** Bytes of a Word document when it is unpacked. */
export const maxDocxBytes = 100_000_000;
/** The ratio of unpacked to packed bytes of one part of a Word document, for parts above 1 MB. */
export const maxDocxRatio = 500;
/** Columns of a table that are read; further ones are ignored. */
export const maxCsvColumns = 200;
/** Characters of one row of a table. */
export const maxCsvRowCharacters = 1_000_000;
/** Characters of HTML that are read; the rest is ignored. */
export const maxHtmlCharacters = 10_000_000;
/** MiB of the JavaScript heap of the process that reads a file. */
export const readerHeapMb = 1024;
/** Bytes of resident memory of the process that reads a file. */
export const maxReaderRssBytes = 1_500_000_000;
