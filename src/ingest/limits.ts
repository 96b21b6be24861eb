/** Limits of reading one file for search. A user meets most of them as the error of the ingestion of a file. */
export const ingestLimits = {
  /** Characters in the text of one file. */
  characters: 20_000_000,
  /** Pages of a PDF. */
  pdfPages: 10_000,
  /** Parts of a Word document: the entries of its zip file. */
  docxParts: 5000,
  /** Bytes of an unpacked Word document. */
  docxBytes: 100_000_000,
  /** The ratio of unpacked to packed bytes of one part of a Word document, for parts above 1 MB. */
  docxRatio: 500,
  /** Columns of a table that are read; further columns are ignored. */
  csvColumns: 200,
  /** Characters in one row of a table. */
  csvRow: 1_000_000,
  /** Characters of HTML that are read; the rest is ignored. */
  html: 10_000_000,
  /** MiB of the JavaScript heap of the process that reads a file. */
  readerHeapMb: 1024,
  /** Bytes of resident memory of the process that reads a file. */
  readerRssBytes: 1_500_000_000,
} as const;
