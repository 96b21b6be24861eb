import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { docxOf, lyingZip, pdfOf, zipOf } from '../support/documents.ts';
import { searchSelection, searchWith, uploadRead } from '../support/file-search.ts';
import { upload } from '../support/upload.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

const read = (content: string | Uint8Array, name: string) => uploadRead(app.client, content, name);
const search = (query: string, fileIds: string[], input: object = {}) => searchWith(app.client, query, fileIds, input);

describe('a file of each format is read and found', () => {
  const cases: Array<[title: string, name: string, content: string | Buffer, query: string]> = [
    ['a text', 'notes.txt', 'The launch code is Heliotrope.', 'launch code'],
    [
      'a text in GB 18030',
      'gb.txt',
      Buffer.from('cdcbbfeed5fed2dfcac7c6dfccecc4dabfc9d2d4cceabeb2c9ccc6b7', 'hex'),
      '七天',
    ],
    ['Markdown', 'readme.md', '# Title\n\nInstall with **apt**: heliotrope-utils.', 'heliotrope'],
    [
      'a web page',
      'page.html',
      '<title>x</title><script>heliotrope()</script><h1>Prices</h1><table><tr><td>Widget</td><td>12 EUR</td></tr></table>',
      'widget',
    ],
    ['Chinese behind digits and letters', 'mixed.txt', '2024年度报告：使用iPhone手机的用户', '手机'],
    ['JSON', 'data.json', '{"capital":"Ulaanbaatar"}', 'Ulaanbaatar'],
    ['a table', 'people.csv', 'name;city\nAda;London\nLin;上海\n', '上海'],
    ['a Word document', 'report.docx', docxOf(['First paragraph', '退款政策：七天内可以退货。']), '退款政策'],
    ['a PDF', 'manual.pdf', pdfOf(['Page one is about cats', '第二页讲退款政策']), '退款'],
  ];
  let files: Awaited<ReturnType<typeof read>>[];
  beforeAll(async () => {
    files = await Promise.all(cases.map(([, name, content]) => read(content, name)));
  });

  test.each(cases.map((given, index) => [...given, index] as const))(
    '%s',
    async (_title, name, _content, query, index) => {
      const { id, ingestion } = files[index] as (typeof files)[number];
      expect(ingestion).toMatchObject({ status: 'COMPLETED', progress: 1, error: null });
      const { results } = await search(query, [id]);
      expect(results[0]).toMatchObject({ file: { id, name } });
      expect(results[0].text.toLowerCase()).toContain(query.toLowerCase());
      expect(results[0].score).toBeGreaterThan(0.4);
      expect(results[0].score).toBeLessThanOrEqual(1);
    },
  );

  test('a PDF of 500 pages, with the page of each passage', async () => {
    const pages = Array.from({ length: 500 }, (_, index) => `Page ${index + 1}: subject${index + 1}`);
    const { id, ingestion } = await read(pdfOf(pages), 'long.pdf');
    expect(ingestion.status).toBe('COMPLETED');
    const { results } = await search('subject321', [id]);
    expect(results[0]).toMatchObject({ page: 321, text: expect.stringContaining('subject321') });
  });

  test('a text is found by other forms of its words and by misspelled words', async () => {
    const { id } = await read(
      `${'Filler about nothing. '.repeat(200)}\n\nCustomers are refunded within thirty days.`,
      'policy.txt',
    );
    for (const query of ['refund', 'custmer refunds', 'thirty day']) {
      const { results } = await search(query, [id]);
      expect(results[0]?.text).toContain('refunded within thirty days');
    }
  });
});

describe('an unreadable file reports the reason', () => {
  const cases: Array<[title: string, name: string, content: string | Uint8Array, reason: RegExp]> = [
    ['a file that is not a PDF', 'fake.pdf', 'hello', /not a PDF/],
    ['a broken PDF', 'broken.pdf', pdfOf(['x']).subarray(0, 200), /broken/],
    ['a PDF without text', 'scan.pdf', pdfOf(['']), /no text/],
    ['a file that is not a Word document', 'fake.docx', 'hello', /not a Word document/],
    ['a zip file that is not a Word document', 'archive.docx', zipOf({ 'a.txt': 'x' }), /not a Word document/],
    ['a zip bomb', 'bomb.docx', zipOf({ 'word/document.xml': new Uint8Array(60_000_000) }), /too large/],
    ['a zip bomb that lies about its size', 'liar.docx', lyingZip('word/document.xml', 5_000_000), /too large/],
    ['a broken Word document', 'cut.docx', docxOf(['x']).subarray(0, 300), /broken/],
    ['binary data', 'binary.txt', Buffer.from([1, 0, 2, 0, 0, 3]), /not text/],
    ['an empty file', 'empty.txt', '', /no text/],
  ];
  let files: Awaited<ReturnType<typeof read>>[];
  beforeAll(async () => {
    files = await Promise.all(cases.map(([, name, content]) => read(content, name)));
  });

  test.each(cases.map(([title, , , reason], index) => [title, reason, index] as const))(
    '%s',
    (_title, reason, index) => {
      expect(files[index]?.ingestion).toMatchObject({ status: 'FAILED', error: expect.stringMatching(reason) });
    },
  );

  test('a PDF with the name of a text file is read as a PDF', async () => {
    const { id, ingestion } = await read(pdfOf(['heliotrope']), 'notes.txt');
    expect(ingestion.status).toBe('COMPLETED');
    expect((await search('heliotrope', [id])).results).toHaveLength(1);
  });

  test('an image is stored but not read', async () => {
    expect((await read(Buffer.from('89504e470d0a1a0a', 'hex'), 'a.png')).ingestion.status).toBe('NOT_SEARCHABLE');
  });
});

describe('an answer', () => {
  test('that is based on a passage cites it', async () => {
    const { id } = await read('The warranty lasts two years.', 'warranty.txt');
    const { messages, results } = await search('warranty', [id]);
    const [{ text, content }] = messages.nodes;
    const [citation] = content[0].annotations;
    expect(citation).toMatchObject({
      __typename: 'FileCitation',
      text: '【1:1】',
      quote: 'The warranty lasts two years.',
      file: { name: 'warranty.txt' },
    });
    expect(citation.score).toBe(results[0].score);
    expect(text.slice(citation.startIndex, citation.endIndex)).toBe('【1:1】');
  });

  test('keeps nothing of a deleted file', async () => {
    const { id } = await read('Secret heliotrope recipe.', 'gone.txt');
    const { id: runId } = await search('heliotrope', [id]);
    await app.client.mutate('deleteFile', { id }, 'deletedId');
    const run = await app.client.finished(runId, searchSelection);
    expect(run.steps.nodes[0].toolCalls[0].results).toEqual([]);
    expect(run.messages.nodes[0].content[0].annotations).toEqual([]);
    const { database } = app.app.services;
    expect(await database.passage.count({ where: { fileId: id } })).toBe(0);
    expect(JSON.stringify(await database.toolCall.findMany())).not.toContain('Secret heliotrope');
    expect(JSON.stringify(await database.message.findMany({ select: { annotations: true } }))).not.toContain(
      'Secret heliotrope',
    );
  });
});

test('a file whose bytes are temporarily unavailable is read later', async () => {
  const { files, database } = app.app.services;
  const read = vi.spyOn(files, 'read').mockImplementationOnce(() => {
    throw new Error('the disk is not there');
  });
  const { ingestion, id } = await uploadRead(app.client, 'patience heliotrope', 'patience.txt');
  expect(ingestion).toMatchObject({ status: 'COMPLETED', error: null });
  expect(await database.file.findFirst({ where: { id } })).toMatchObject({ ingestionAttempts: 2 });
  read.mockRestore();
});

test('a text of emoji without spaces is split between them', async () => {
  const { ingestion } = await read('🙂字'.repeat(3000), 'emoji.txt');
  expect(ingestion).toMatchObject({ status: 'COMPLETED' });
});

test('a search covers only the files of its thread and assistant', async () => {
  const [mine, other, assistants] = await Promise.all([
    read('zanzibar mine', 'mine.txt'),
    read('zanzibar other', 'other.txt'),
    read('zanzibar shared', 'shared.txt'),
  ]);
  const assistant = await app.client.createAssistant({ tools: [{ fileSearch: {} }], fileIds: [assistants.id] });
  await app.client.createThread({ fileIds: [other.id] });
  const { results } = await search('zanzibar', [mine.id], { assistantId: assistant.id });
  expect(results.map(({ file }: { file: { name: string } }) => file.name).sort()).toEqual(['mine.txt', 'shared.txt']);
});

test('a search waits for a file that is being ingested', async () => {
  const { id } = await upload(app.client, 'fresh heliotrope', 'fresh.txt');
  expect((await search('heliotrope', [id])).results).toHaveLength(1);
});

test.each(["x' & !| ( :*", '"', '\\', '%_', '退', 'a'.repeat(5000), '🙂', 'who is it'])(
  'a query with special characters is only a query: %s',
  async (query) => {
    const { id } = await upload(app.client, 'strange things: 退款 a & b', 'strange.txt');
    const { status } = await search(query, [id]);
    expect(status).toBe('COMPLETED');
  },
);
