import { convert } from 'html-to-text';
import { ingestLimits } from '../limits.ts';

const limits = { maxInputLength: ingestLimits.html, maxDepth: 200, maxChildNodes: 100_000, maxBaseElements: 10 };
const skipped = ['img', 'nav', 'noscript', 'template', 'svg', 'iframe', 'form'];

/** The text of a page without scripts, styles, navigation and forms. Tables are read row by row. */
export function textOfHtml(html: string): string {
  return convert(html, {
    wordwrap: false,
    limits,
    selectors: [
      { selector: 'a', options: { ignoreHref: true } },
      ...skipped.map((selector) => ({ selector, format: 'skip' })),
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
      { selector: 'tr', format: 'block', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
      ...['td', 'th'].map((selector) => ({ selector, format: 'inlineSurround', options: { suffix: ' ' } })),
    ],
  });
}
