// Searches uploaded files in two languages; the answer cites its source: node examples/tools/search-files.ts
import { run, upload } from './graph.ts';

const files = await Promise.all([
  upload('refunds.md', '# Refunds\n\nA customer can return a product within thirty days.'),
  upload('退款.txt', '退款政策：七天内可以退货，运费由我们承担。'),
]);
for (const query of ['return a product', '退款政策']) {
  await run(`search the files for ${query}`, [{ fileSearch: { maxResults: 1 } }], { fileIds: files });
}
